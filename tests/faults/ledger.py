"""What became of every message sent: the one count by which all tests of faults are judged.

The facility of `tests.faults.jobs` writes down each effect of its tasks. PACER reaches its broker by a
`Wire`, which knows what was delivered, published, confirmed and acknowledged. From both, and from what lies
in the queues at the end, `Ledger.close` makes the account of one fault.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import amqp
from attrs import define, field

from pacer_core.model.queue_names import retry_exchange
from pacer_core.transport.retry_policy import LADDER
from tests.faults.accounts import Account
from tests.faults.jobs import CONFIG, TASKS
from tests.faults.wire import Event, Wire
from tests.lab import Lab
from tests.support import Running, eventually

MIRROR = "mirror"
BATCH = 500
UNCONFIRMED = {"publish": 1, "confirm": -1, "doubt": 1}
"""What an event adds to the copies of which a connection has brought no confirm, as far as anybody knows."""

Who = tuple[str, str]
"""A queue, which stands for its consumer, and a correlation id."""


@define(eq=False)
class Ledger:
    """The books of one test: what was sent, and what has to come of it."""

    text = CONFIG
    """What `configure` writes, with names to fill in."""

    lab: Lab
    wire: Wire
    record: Callable[[Account], None] = lambda _: None
    tasks: Mapping[str, tuple[str, ...]] = field(factory=lambda: {"jobs": TASKS, "children": ("follow",)})
    """By queue, what has to be done with each message for it to be done."""
    sent: set[Who] = field(factory=set)
    dead: set[str] = field(factory=set)
    """The jobs that have to be dead in the end, and no others."""
    broker_dies: bool = False
    """Whether the broker may die while it hands a copy from the ladder to its queue: it does so again."""
    recipient: tuple[Lab, Wire] | None = None
    """Where messages are forwarded to, and the wire that leads there: into a queue ``mirror``."""
    patience: float = 30.0
    """Seconds that a message may take from one queue to another when nothing runs any more."""
    judged: bool = False
    """Whether there is an account of it."""
    _count: int = 0
    # Everything that is looked at again and again only grows, and is read once.
    _written: dict[str, tuple[int, list[list[str]]]] = field(factory=dict)
    _runs: Counter[tuple[Who, str]] = field(factory=Counter)
    _done: set[Who] = field(factory=set)

    def configure(
        self,
        *,
        kind: str = "jobs",
        consumer: str = ", concurrency: 4",
        queue: str = "",
        broker: str = "",
        recipients: str = "",
        more: str = "",
        grace: str = "5s",
    ) -> None:
        """Write a configuration that reaches the broker by the wire, and have its queues declared."""
        self.lab.site.write(
            self.text.format(
                port=self.wire.port,
                vhost=self.lab.vhost,
                kind=kind,
                consumer=consumer,
                queue=queue,
                broker=broker,
                recipients=recipients,
                more=more,
                grace=grace,
                state=self.lab.site.folder / "state",
            )
        )
        self.lab.declare()

    def send(self, count: int = 1, **does: str) -> list[str]:
        """Publish jobs that do what is said, with the wire out of it; give their names."""
        self._count += count
        names = [f"m{number}" for number in range(self._count - count, self._count)]
        self.publish({name: json.dumps({"name": name} | does).encode() for name in names})
        if any(words.startswith("emit ") for words in does.values()):
            self.sent |= {("children", name) for name in names}
        return names

    def publish(self, bodies: Mapping[str, bytes]) -> None:
        """Publish bodies, each under its correlation id, and wait for the broker's confirms."""
        forwarded = self.recipient is not None
        exchange, to = ("user-office", "sample.new") if forwarded else ("", "jobs")
        channel = self.lab.channel
        confirmed = Counter[str]()
        channel.confirm_select()

        def count(tag: int, _: bool) -> None:
            confirmed["up to"] = max(confirmed["up to"], tag)

        channel.events["basic_ack"].add(count)
        for number, (name, body) in enumerate(bodies.items(), 1):
            message = amqp.Message(
                body, correlation_id=name, content_type="application/json", delivery_mode=2
            )
            channel.basic_publish(message, exchange=exchange, routing_key=to, mandatory=True)
            while number - confirmed["up to"] > BATCH or number == len(bodies) > confirmed["up to"]:
                channel.connection.drain_events(timeout=30)
        channel.close()
        self.sent |= {(queue, name) for queue in ("jobs", MIRROR)[: 1 + forwarded] for name in bodies}

    @property
    def next_name(self) -> str:
        """The name that the next job will have."""
        return f"m{self._count}"

    def mixture(self, count: int) -> None:
        """Publish jobs of every kind: good, retried, rejected, with follow-ups."""
        for _ in range(0, count, 10):
            self.send(6)
            self.send(first="retry 1")
            self.send(second="retry 1", other="emit children")
            self.dead.update(self.send(second="reject"), self.send(first="reject", other="retry 1"))

    # --- while it runs ---------------------------------------------------------------------------------

    def lines(self, name: str = "effects") -> list[list[str]]:
        """Give what tasks have written: queue, task, correlation id, attempt; a half-written line is none."""
        at, lines = self._written.get(name, (0, []))
        file = self.lab.site.folder / name
        if file.exists():
            with file.open("rb") as written:
                written.seek(at)
                new = written.read()
            whole = new[: new.rfind(b"\n") + 1]
            lines += [line.split() for line in whole.decode().splitlines()]
            self._written[name] = at + len(whole), lines
        return lines

    def runs(self) -> Counter[tuple[Who, str]]:
        """Count how often each task has come to its end with each message."""
        before = self._runs.total()
        self._runs.update(((queue, message), task) for queue, task, message, _ in self.lines()[before:])
        return self._runs

    def done(self) -> set[Who]:
        """Give the messages that have every effect."""
        runs = self.runs()
        for who in self.sent - self._done:
            tasks = self.tasks.get(who[0])
            if tasks and all(runs[who, task] for task in tasks):
                self._done.add(who)
        mirrored = [] if self.recipient is None else list(self.recipient[1].confirmed)
        return self._done | {(MIRROR, one.message) for one in mirrored}

    def buried(self) -> set[Who]:
        """Give the messages of which a dead copy was confirmed."""
        return {_goes_to(one) for one in list(self.wire.confirmed) if one.key.endswith(".dead")}

    def copies(self, queue: str) -> set[Who]:
        """Give the messages of which a copy was confirmed that went to a retry queue."""
        return {_goes_to(one) for one in list(self.wire.confirmed) if one.exchange == queue}

    def held(self) -> int:
        """Count what retry queues keep for a queue that is gone: no consumer gets it, no depth shows it."""
        return sum(self._held(retry_exchange(step)) for step in LADDER)

    def _held(self, queue: str) -> int:
        name = f'rabbit_misc:r(<<"{self.lab.vhost}">>, queue, <<"{queue}">>)'
        answer = self.lab.node.ctl(
            "eval",
            f"{{ok, Q}} = rabbit_amqqueue:lookup({name}), "
            "{ok, {_, O}, _} = ra:local_query(amqqueue:get_pid(Q), fun rabbit_fifo:overview/1), "
            "maps:get(num_discarded, O) + maps:get(num_discard_checked_out, O).",
        )
        return int(answer)

    def wait(self, running: Running, seconds: float = 120) -> None:
        """Wait until every message is done, or dead."""

        def left() -> set[Who]:
            return self.sent - self.done() - self.buried()

        eventually(
            lambda: not left(), seconds, lambda: f"{sorted(left())[:5]} in:\n{running.printed[-6000:]}"
        )

    def wait_for_share(self, running: Running, share: float) -> None:
        """Wait until this much of all messages is done, or dead."""
        wanted = int(share * len(self.sent))
        # A worker that dies again and again is started after a minute.
        eventually(lambda: len(self.done() | self.buried()) >= wanted, 180, lambda: running.printed[-6000:])

    # --- at the end ------------------------------------------------------------------------------------

    def close(self, fault: str) -> Account:
        """Look into the queues when nothing runs any more, and judge.

        Every message is somewhere; two endings and repeated tasks are only where an acknowledgement or a
        confirm was lost; dead are those that have to be.
        """
        found: dict[str, Counter[Who]] = {"retry": Counter(), "dead": Counter(), MIRROR: Counter()}

        def missing() -> set[Who]:
            self._gather(found)
            done = {who for who in self.done() if who[0] != MIRROR}
            return self.sent.difference(done, *found.values())

        # A copy whose time has just come is in neither queue for a moment.
        held = self.held() if missing() else 0
        with suppress(AssertionError):  # it is judged when the account is written
            eventually(lambda: len(missing()) <= held, self.patience)
        lost = missing()
        done, excused = self.done(), self._excused()
        endings = sum(found.values(), self._ended())
        twice = {who for who, count in endings.items() if count > 1}
        repeated = Counter({run: count - 1 for run, count in self.runs().items() if count > 1})
        account = Account(
            fault,
            sent=len(self.sent),
            done=len(done),
            retry=len(set(found["retry"]) & self.sent) + min(len(lost), held),
            dead=len(set(found["dead"]) & self.sent),
            missing=max(len(lost) - held, 0),
            twice=len(twice),
            repeated=repeated.total(),
            excused=len(excused & self.sent),
        )
        self.record(account)
        self.judged = True
        assert not account.missing, f"lost: {sorted(lost)[:20]}"
        assert not twice - excused, f"two endings without a reason: {sorted(twice - excused)[:20]}"
        without = {who for who, _ in repeated} - excused
        assert not without, f"repeated without a reason: {sorted(without)[:20]}"
        strangers = (set(endings) | {who for who, _ in self.runs()}) - self.sent
        assert not strangers, f"nobody has sent {sorted(strangers)[:20]}"
        assert set(found["dead"]) == {("jobs", name) for name in self.dead}
        return account

    def _gather(self, found: dict[str, Counter[Who]]) -> None:
        """Take what lies in the queues; those of the ladder first, from which messages move to the others."""
        for queue in (*map(retry_exchange, LADDER), *self.tasks):
            for message in self._take(queue):
                found["retry"][message.headers.get("x-pacer-queue", queue), name_of(message)] += 1
        for queue in self.tasks:
            for message in self._take(f"{queue}.dead"):
                found["dead"][queue, name_of(message)] += 1
        if self.recipient is not None:
            for message in self.recipient[0].take(MIRROR):
                found[MIRROR][MIRROR, name_of(message)] += 1

    def _take(self, queue: str) -> list[Any]:
        with suppress(amqp.exceptions.NotFound):  # the test may have deleted it
            return self.lab.take(queue)
        return []

    def _excused(self) -> set[Who]:
        """Give the messages of which an acknowledgement, or the confirm of a copy, did not come through."""
        open_: Counter[tuple[int, Who]] = Counter()
        excused = set()
        for event in self.wire.events:
            if event.what == "deliver" and event.redelivered:
                excused.add((event.queue, event.message))
            elif event.what in UNCONFIRMED:
                open_[event.link, _goes_to(event)] += UNCONFIRMED[event.what]
        if self.broker_dies:
            excused |= self._dead_lettered_twice()
        for event in [] if self.recipient is None else self.recipient[1].events:
            if event.what in UNCONFIRMED:
                open_[event.link, (MIRROR, event.message)] += UNCONFIRMED[event.what]
        excused |= {who for (_, who), count in open_.items() if count > 0}
        # What comes of a message is sent again with it.
        again = {name for queue, name in excused if queue == "jobs"}
        return excused.union(*({("children", name), (MIRROR, name)} for name in again))

    def _dead_lettered_twice(self) -> set[Who]:
        """Give the messages of which more copies came out of the ladder than went in."""
        came, went = Counter[tuple[Who, int]](), Counter[tuple[Who, int]]()
        for event in self.wire.events:
            if event.what == "deliver" and not event.redelivered and event.attempt > 1:
                came[(event.queue, event.message), event.attempt] += 1
            elif event.what == "publish" and event.attempt:
                went[_goes_to(event), event.attempt + 1] += 1
        return {who for who, _ in came - went}

    def _ended(self) -> Counter[Who]:
        """Count how often each message was acknowledged with nothing left to do: no copy was made of it."""
        copied = {
            (_goes_to(event), event.attempt)
            for event in self.wire.events
            if event.what == "publish" and event.attempt
        }
        acks = [event for event in self.wire.events if event.what == "ack"]
        return Counter(
            (event.queue, event.message)
            for event in acks
            if ((event.queue, event.message), event.attempt) not in copied
        )


def _goes_to(event: Event) -> Who:
    """Give whose copy a published message is: a dead one's and a waiting one's key name the queue."""
    return event.key.removesuffix(".dead"), event.message


def name_of(message: Any) -> str:
    """Give the correlation id of a message taken from a queue."""
    return str(message.headers.get("x-pacer-correlation-id") or message.properties["correlation_id"])
