"""Redis as one connection uses it: an owner of leases, once it consumes, and each step a script."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Hashable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, cast

from amqp.exceptions import ChannelError
from attrs import frozen

from pacer_channel import (
    Lease,
    Leased,
    LocalWaker,
    Outgoing,
    Topology,
    Wish,
    Written,
    refusals,
    rules,
)
from pacer_core import BrokerError
from pacer_redis import deadletters, demands, orphans
from pacer_redis.catalogue import Queue
from pacer_redis.clients import open_client
from pacer_redis.contents import pack, unpack
from pacer_redis.declaring import DeclaringStore
from pacer_redis.failures import as_lost
from pacer_redis.keeper import Keeper
from pacer_redis.kinds import address
from pacer_redis.options import RedisOptions
from pacer_redis.scripts import Scripts

_SETTLED_AT_ONCE = 500


@frozen(eq=False)
class Consumer:
    """A subscription, as Redis knows it; each is itself alone."""

    queue: Queue
    number: str
    exclusive: bool

    @property
    def member(self) -> str:
        """How the scripts name it."""
        return f"{self.queue.number}:{self.number}:{int(self.exclusive)}"


class RedisStore(DeclaringStore):
    """What `pacer_channel` asks of an engine, on Redis."""

    def __init__(self, options: RedisOptions, protocol: str) -> None:
        self.broker = address(options, protocol)
        self._process = os.getpid()
        self._lease = options.lease.total_seconds()
        key = f"{{{options.prefix}}}"
        with ExitStack() as opened, as_lost(self.broker):
            client = open_client(options, protocol, key)
            opened.callback(client.close)
            self._properties = demands.check(client, options.require, self.broker)
            super().__init__(Scripts(client, key, self.broker, options.require))
            self._end_orphans()
            opened.pop_all()
        self._keeper: Keeper | None = None
        self._owner = ""
        self._reader: RedisStore | None = None
        self._entering = threading.Lock()
        self.waker = LocalWaker()

    @property
    def properties(self) -> Mapping[str, str]:
        """What it is."""
        return self._properties

    def check(self) -> None:
        """Raise where the lease may be over."""
        if self._keeper is not None:
            self._keeper.check()

    def _me(self) -> str:
        """Give this connection's name as an owner, which it becomes by the first call."""
        if os.getpid() != self._process:
            raise BrokerError(
                f"{self.broker} was opened before this process was forked: open connections afterwards"
            )
        with self._entering:
            if self._keeper is None:
                owner = uuid.uuid4().hex
                keeper = Keeper(self._scripts, owner, self._lease, self.waker, self._sweep, self._collect)
                keeper.start()
                self._owner, self._keeper = owner, keeper
        self.check()
        return self._owner

    # Publishing

    def only_while(self, reader: RedisStore) -> None:
        """Have nothing published from here once an owner's lease is over."""
        self._reader = reader

    def publish(self, messages: Sequence[Outgoing]) -> Written:
        """Put messages into the queues that take them, in one step."""
        queues: list[int] = []
        refusal: ChannelError | None = None
        reader = self._reader._owner if self._reader is not None else ""

        def arguments(topology: Topology[Queue]) -> list[Any]:
            nonlocal refusal
            queues.clear()
            refusal = None
            words: list[Any] = [reader]
            for message in messages:
                try:
                    targets = rules.targets(topology, message)
                except ChannelError as error:
                    refusal = error
                    break
                queues.append(len(targets))
                content = pack(message.exchange, message.routing_key, message.encoded, message.body)
                words += [content, len(targets)]
                for queue in targets:
                    wait = rules.wait_of(message, queue)
                    words += [
                        queue.number,
                        rules.rank_of(message.properties, queue),
                        -1 if wait is None else wait,
                    ]
            return words

        self._catalogue.step("publish", arguments, confirm=True)
        return Written(queues, refusal)

    # Consuming

    def subscribe(self, queue: str, *, exclusive: bool) -> Consumer:
        """Add a consumer to a queue."""
        me = self._me()
        found: list[Queue] = []

        def arguments(topology: Topology[Queue]) -> list[Any]:
            found[:] = [rules.expect_queue(topology, queue, refusals.BASIC_CONSUME)]
            return [me, found[0].number, int(exclusive)]

        answer, number = self._catalogue.step("subscribe", arguments)
        if answer == b"REFUSED":
            rules.may_subscribe(queue, exclusive=exclusive, others=number, taken=not exclusive)
        return Consumer(found[0], number.decode(), exclusive)

    def lease(self, wishes: Sequence[Wish], pools: Sequence[int]) -> Lease:
        """Lease what consumers may have and is there."""
        words: list[Any] = [self._me(), len(pools), *pools]
        for wish in wishes:
            consumer = cast(Consumer, wish.consumer)
            queue = consumer.queue
            words += [queue.number, consumer.number, int(consumer.exclusive), queue.max_priority]
            words += [int(queue.single_active), wish.room, wish.pool + 1]
        answers = self._scripts.run("lease", *words)
        messages: list[tuple[Hashable, Leased]] = []
        ended: list[Hashable] = []
        for wish, answer in zip(wishes, answers, strict=True):
            if answer == b"ENDED":
                ended.append(wish.consumer)
            else:
                number = cast(Consumer, wish.consumer).queue.number
                messages += [(wish.consumer, leased) for leased in _leased(number, answer)]
        return Lease(messages, ended)

    def get(self, queue: str) -> tuple[Leased, int] | None:
        """Lease the next message of a queue; give it and how many are left."""
        me, found = self._me(), [""]

        def arguments(topology: Topology[Queue]) -> list[Any]:
            there = rules.expect_queue(topology, queue, refusals.BASIC_GET)
            found[0] = there.number
            return [me, there.number, there.max_priority]

        answer, left = self._catalogue.step("get", arguments)
        return (_leased(found[0], answer)[0], int(left)) if answer else None

    def acknowledge(self, entries: Sequence[Hashable]) -> None:
        """End messages that this owner holds."""
        for start in range(0, len(entries), _SETTLED_AT_ONCE):
            self._scripts.run("settle", self._owner, *entries[start : start + _SETTLED_AT_ONCE])

    def reject(self, entries: Sequence[Hashable]) -> None:
        """Dead-letter or drop messages that this owner holds."""
        if entries:
            deadletters.reject(self._scripts, self._catalogue, self._owner, cast(Sequence[bytes], entries))

    def give_back(
        self, seen: Sequence[Hashable], unseen: Sequence[Hashable], consumers: Sequence[Hashable] = ()
    ) -> None:
        """Put messages back where they were, those seen marked as redelivered, and end consumers."""
        members = [cast(Consumer, one).member for one in consumers]
        self._collect(
            self._scripts.run("return", self._owner, len(seen), *seen, len(unseen), *unseen, *members)
        )

    # Itself

    def _end_orphans(self) -> None:
        owners = orphans.take(self.broker)
        try:
            if owners:
                self._scripts.run("leave", *owners)
        except BaseException:
            for owner in owners:
                orphans.leave(self.broker, owner)
            raise

    def close(self) -> None:
        """Give back all that is held and end; where Redis is away, the next connection says it."""
        try:
            if self._keeper is not None:
                self._keeper.stop()
                try:
                    self._collect(self._scripts.run("leave", self._owner))
                except Exception:
                    orphans.leave(self.broker, self._owner)
                    raise
        finally:
            self._scripts.client.close()
            self.waker.close()


def _leased(queue: str, words: Sequence[bytes]) -> list[Leased]:
    """Read what the scripts give of claimed messages: rank, id, seen or not, content."""
    found = []
    for at in range(0, len(words), 4):
        rank, number, seen, data = words[at : at + 4]
        content = unpack(data)
        entry = b"%b:%b:%b" % (queue.encode(), rank, number)
        found.append(
            Leased(
                entry, seen == b"1", content.exchange, content.routing_key, content.properties, content.body
            )
        )
    return found
