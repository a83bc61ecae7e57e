"""Forwarding between brokers: two virtual hosts of one node stand for two facilities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from attrs import evolve

from pacer_core.config import Config, load
from pacer_core.config.model import Broker, Recipient
from pacer_core.model.messages import Outcome
from pacer_core.model.routes import matches
from pacer_core.model.secrets import Secret
from pacer_core.transport.amqp.deliveries import Contents
from pacer_core.transport.connection import connect, contents
from pacer_core.transport.dead_queues import DeadLetter, look
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.topology import declare
from pacer_core.work.worker import Worker
from tests.lab import LIMIT, limited
from tests.services import RabbitMQ
from tests.support import Site

PLUGIN = """
    from attrs import frozen
    from pacer_core import ConsumerType, Text, hookimpl, task

    @frozen
    class Sample:
        XML_IGNORED = ("greeting",)
        name: Text

    @task
    def store(sample, ctx):
        pass

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(name="samples", message=Sample, tasks=[store])
"""

CONFIG = """
    brokers:
      main: {{host: 127.0.0.1, port: {port}, username: guest, password: guest, vHost: {here}}}
      recipients:
        - name: away
          host: 127.0.0.1
          port: {port}
          username: guest
          password: guest
          vHost: {there}
          forwardingRules: [{{fromExchange: user-office, withRoutingKey: "sample.#"}}]
    exchanges: [{{name: user-office, type: topic}}]
    queues: [{{name: samples, exchange: user-office, routingKey: "#"}}]
    consumers: [{{type: {type}, queues: [samples], concurrency: {threads}}}]
"""


@pytest.fixture
def configure(site: Site, rabbitmq: RabbitMQ, rabbitmq_vhost: str) -> Iterator[Any]:
    """Configure this test's broker, with another virtual host as the recipient."""
    site.install("sample-pacer", PLUGIN)
    with rabbitmq.vhost() as recipient:

        def configure(
            type_: str = "samples", threads: int = 4, here: str = rabbitmq_vhost, there: str = recipient
        ) -> Config:
            text = CONFIG.format(port=rabbitmq.port, here=here, there=there, type=type_, threads=threads)
            return load(site.write(text, f"{type_}-{here}.yaml"))

        yield configure


def send(config: Config, body: bytes, key: str = "sample.new", **properties: Any) -> None:
    """Publish one message at the main broker."""
    with closing(connect(config.broker, "test")) as connection:
        declare(connection, config)
    headers = {"facility": "alba", "CC": ["elsewhere"]}
    with closing(Publisher(config.broker)) as publisher:
        publisher.publish([Outgoing("user-office", key, body, headers, properties)])


def at(recipient: Recipient, **options: Any) -> Recipient:
    """Give a recipient with other options of its transport."""
    return evolve(recipient, options=evolve(recipient.options, **options))


def bind(broker: Broker, queue: str = "mirror") -> None:
    """Make a queue at the recipient that takes what is forwarded."""
    with closing(connect(broker, "test")) as connection:
        channel = connection.channel()
        channel.exchange_declare(exchange="user-office", type="topic", durable=True, auto_delete=False)
        channel.queue_declare(queue=queue, durable=True, auto_delete=False)
        channel.queue_bind(queue=queue, exchange="user-office", routing_key="#")


def arrived(broker: Broker, queue: str = "mirror") -> list[Contents]:
    """Take everything that has arrived at the recipient."""
    with closing(connect(broker, "test")) as connection:
        channel = connection.channel()
        found = []
        while (message := channel.basic_get(queue, no_ack=True)) is not None:
            found.append(contents(message))
        return found


@pytest.mark.parametrize(
    ("type_", "threads"), [("samples", 4), ("samples", 1), ("forward", 1), ("forward", 4)]
)
def test_a_message_is_forwarded_byte_for_byte(configure: Any, type_: str, threads: int) -> None:
    config = configure(type_, threads)
    bind(config.recipients[0])
    body = b'{"name": "\xc3\xa9"}  '
    send(config, body, content_type="application/vnd.sample+json", correlation_id="c-1", expiration="600000")

    assert Worker(config, config.consumers).run(once=True) == {Outcome.ACKED: 1}

    (message,) = arrived(config.recipients[0])
    assert message.body == body
    assert message.properties["content_type"] == "application/vnd.sample+json"
    assert "expiration" not in message.properties
    assert message.delivery_info["exchange"] == "user-office"
    assert message.delivery_info["routing_key"] == "sample.new"
    assert message.headers["facility"] == "alba"
    ours = {name for name in message.headers if name.startswith("x-pacer-")}
    assert ours == {"x-pacer-correlation-id", "x-pacer-path"}
    assert message.headers["x-pacer-correlation-id"] == "c-1"


def test_only_what_the_rule_names_is_forwarded(configure: Any) -> None:
    config = configure()
    bind(config.recipients[0])
    send(config, b'{"name": "a"}', "user.new")
    assert Worker(config, config.consumers).run(once=True) == {Outcome.ACKED: 1}
    assert arrived(config.recipients[0]) == []


def test_a_message_that_cannot_be_read_is_forwarded_and_dead(configure: Any) -> None:
    config = configure()
    bind(config.recipients[0])
    send(config, b"nonsense")
    assert Worker(config, config.consumers).run(once=True) == {Outcome.DEAD: 1}
    assert [message.body for message in arrived(config.recipients[0])] == [b"nonsense"]


def test_a_message_that_is_passed_over_is_forwarded_all_the_same(configure: Any) -> None:
    config = configure()
    bind(config.recipients[0])
    send(config, b"<greeting/>")
    assert Worker(config, config.consumers).run(once=True) == {Outcome.ACKED: 1}
    assert [message.body for message in arrived(config.recipients[0])] == [b"<greeting/>"]


def test_a_recipient_without_a_queue_delays_its_own_copy_alone(configure: Any) -> None:
    config = configure()
    send(config, b'{"name": "a"}')

    first: list[Any] = []
    Worker(config, config.consumers, observe=first.append).run(once=True)
    assert {delivery.outcome for delivery in first} == {Outcome.RETRIED}
    assert first[0].done == ("store",)
    assert first[0].pending == ("forward:away",)

    bind(config.recipients[0])
    later: list[Any] = []
    while not any(delivery.outcome is Outcome.ACKED for delivery in later):
        Worker(config, config.consumers, observe=later.append).run(once=True)
    assert list(later[-1].timings) == ["forward:away"]
    # It came back from the ladder by the default exchange; it goes on with its first sight's.
    (message,) = arrived(config.recipients[0])
    assert (message.delivery_info["exchange"], message.delivery_info["routing_key"]) == (
        "user-office",
        "sample.new",
    )


def test_a_recipient_that_is_away_costs_no_attempt(configure: Any) -> None:
    config = configure()
    nowhere = at(config.recipients[0], port=1, password=Secret("hidden-word"))
    config = evolve(config, recipients=(nowhere,))
    send(config, b'{"name": "a"}')
    seen: list[Any] = []
    Worker(config, config.consumers, observe=seen.append).run(once=True)
    assert seen[0].outcome is Outcome.RETRIED
    assert seen[0].failures[0].kind == "away"
    assert "hidden-word" not in seen[0].failures[0].reason


def test_of_messages_that_are_forwarded_together_one_whose_hook_fails_fails_alone(
    configure: Any, site: Site
) -> None:
    site.install(
        "picky-pacer",
        """
        from pacer_core import hookimpl

        @hookimpl
        def pacer_route_message(message, envelope, routes):
            if envelope.body == b"2":
                raise RuntimeError("not this one")
        """,
    )
    config = configure("forward")
    bind(config.recipients[0])
    bodies = [b"%d" % number for number in range(20)]
    for body in bodies:
        send(config, body)
    seen: list[Any] = []

    Worker(config, config.consumers, observe=seen.append).run(once=True)

    assert sorted(message.body for message in arrived(config.recipients[0])) == sorted({*bodies} - {b"2"})
    failed = [delivery for delivery in seen if delivery.outcome is not Outcome.ACKED]
    assert {(one.envelope.body, one.pending) for one in failed} == {(b"2", ("route",))}
    assert "RuntimeError" in failed[0].error


def test_headers_that_fill_their_frame_leave_room_for_ours_and_keep_no_other_message_back(
    configure: Any,
) -> None:
    config = configure("forward")
    bind(config.recipients[0])
    send(config, b"before")
    with closing(Publisher(config.broker)) as publisher:
        full = Outgoing("user-office", "sample.new", b"full", {"large": 131_000 * "x", "small": 1})
        publisher.publish([full])
    send(config, b"behind")
    seen: list[Any] = []

    Worker(config, config.consumers, observe=seen.append).run(once=True)

    assert {delivery.outcome for delivery in seen} == {Outcome.ACKED}
    there = {message.body: message.headers for message in arrived(config.recipients[0])}
    assert set(there) == {b"before", b"full", b"behind"}
    assert (there[b"full"]["small"], there[b"full"]["x-pacer-dropped"]) == (1, ["large"])
    assert "large" not in there[b"full"]


def test_of_messages_that_are_forwarded_together_one_that_is_refused_is_charged_alone(
    configure: Any, rabbitmq: RabbitMQ
) -> None:
    config = configure("forward")
    bind(config.recipients[0])
    bodies = [b"x" * (2 * LIMIT if number == 7 else number + 1) for number in range(20)]
    for body in bodies:
        send(config, body)
    seen: list[Any] = []

    with limited(rabbitmq):
        Worker(config, config.consumers, observe=seen.append).run(once=True)

    assert sorted(message.body for message in arrived(config.recipients[0])) == sorted(
        body for body in bodies if len(body) <= LIMIT
    )
    assert [one.envelope.body for one in seen if one.outcome is not Outcome.ACKED] == [bodies[7]]


def test_a_queue_that_is_full_at_the_recipient_delays_its_own_messages_alone_and_uncounted(
    configure: Any,
) -> None:
    config = configure("forward")
    with closing(connect(config.recipients[0], "test")) as connection:
        channel = connection.channel()
        channel.exchange_declare(exchange="user-office", type="topic", durable=True, auto_delete=False)
        for queue, arguments in (
            ("mirror", {}),
            ("full", {"x-max-length": 0, "x-overflow": "reject-publish"}),
        ):
            channel.queue_declare(queue=queue, durable=True, auto_delete=False, arguments=arguments)
            channel.queue_bind(queue=queue, exchange="user-office", routing_key=f"sample.{queue}")
    for number in range(12):
        send(config, b"%d" % number, "sample.full" if number % 4 == 1 else "sample.mirror")
    seen: list[Any] = []

    Worker(config, config.consumers, observe=seen.append).run(once=True)

    first = {int(one.envelope.body): one for one in reversed(seen)}
    late = {number for number, one in first.items() if one.outcome is not Outcome.ACKED}
    assert late == {1, 5, 9}
    assert {failure.kind for number in late for failure in first[number].failures} == {"away"}
    assert len(arrived(config.recipients[0])) == 9


def test_a_message_for_two_recipients_goes_again_to_the_one_that_was_away_alone(
    configure: Any, site: Site, rabbitmq: RabbitMQ
) -> None:
    with rabbitmq.vhost() as second:
        one = configure("forward")
        (away,) = one.recipients
        other = at(evolve(away, name="other"), v_host=second)
        bind(away)
        bind(other)
        routes = (*one.routes, evolve(one.routes[0], recipient="other"))
        both = evolve(one, recipients=(away, other), routes=routes)
        bodies = [b"%d" % number for number in range(5)]
        for body in bodies:
            send(one, body)

        seen: list[Any] = []
        gone = evolve(both, recipients=(away, at(other, port=1)))
        assert Worker(gone, gone.consumers, observe=seen.append).run(once=True) == {Outcome.RETRIED: 5}
        assert {(delivery.done, delivery.pending) for delivery in seen} == {
            (("forward:away",), ("forward:other",))
        }
        assert Worker(both, both.consumers).run(once=True, wait=True) == {Outcome.ACKED: 5}

        for recipient in (away, other):
            assert sorted(message.body for message in arrived(recipient)) == bodies


def test_a_loop_of_rules_ends_in_the_dead_queue(configure: Any, rabbitmq_vhost: str) -> None:
    here = configure("forward")
    there = configure("forward", here=here.recipients[0].options.v_host, there=rabbitmq_vhost)
    with closing(connect(there.broker, "test")) as connection:
        declare(connection, there)
    send(here, b"round and round")

    assert Worker(here, here.consumers).run(once=True) == {Outcome.ACKED: 1}
    assert Worker(there, there.consumers).run(once=True) == {Outcome.ACKED: 1}
    assert Worker(here, here.consumers).run(once=True) == {Outcome.DEAD: 1}

    with closing(connect(here.broker, "test")) as connection:
        (letter,) = look(connection, "samples.dead")
    assert "loop" in letter.error
    assert letter.envelope.body == b"round and round"


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "headers",
    [
        {
            "x-pacer-path": [f"{number:0250}" for number in range(31)]
        },  # as long as one that is believed may be
        {"x-pacer-path": [f"{number:0250}" for number in range(60)]},
        {"x-pacer-path": "none"},
        {"x-pacer-path": [1, None, {"a": "b"}]},
        {"x-pacer-path": _nested(250)},
        {"X-Pacer-Path": [], "x-pacer-version": 1, "x-pacer-exchange": "user-office"},
        {"x-pacer-version": 1, "x-pacer-exchange": "user-office", "x-pacer-routing-key": "sample.#"},
        {"x-pacer-version": 1, "x-pacer-attempt": -5, "x-pacer-retries": 10**9, "x-pacer-waited": 10**9},
    ],
)
def test_a_loop_ends_whatever_a_publisher_has_written_of_its_path(
    configure: Any, rabbitmq_vhost: str, headers: dict[str, Any]
) -> None:
    here = configure("forward")
    there = configure("forward", here=here.recipients[0].options.v_host, there=rabbitmq_vhost)
    for one in (here, there):
        with closing(connect(one.broker, "test")) as connection:
            declare(connection, one)
    with closing(Publisher(here.broker)) as publisher:
        publisher.publish([Outgoing("user-office", "sample.new", b"round and round", headers)])
    ends: Counter[Outcome] = Counter()
    for config in 3 * [here, there]:
        ends += Worker(config, config.consumers).run(once=True)
        if Outcome.DEAD in ends:
            break
    assert ends[Outcome.DEAD] == 1
    assert ends[Outcome.ACKED] <= 3
    letters: list[DeadLetter] = []
    for config in (here, there):
        with closing(connect(config.broker, "test")) as connection:
            letters += look(connection, "samples.dead")
    (letter,) = letters
    assert "loop" in letter.error


@pytest.mark.parametrize(
    ("pattern", "key", "fits"),
    [
        ("a.b", "a.b", True),
        ("a.*", "a.b", True),
        ("a.*", "a", False),
        ("a.*", "a.b.c", False),
        ("a.#", "a", True),
        ("a.#", "a.b.c", True),
        ("#.c", "c", True),
        ("#.c", "a.b.c", True),
        ("#", "", True),
        ("*", "", True),
        ("a.#.c", "a.c", True),
        ("a.#.c", "a.b.b.c", True),
        ("a.b", "axb", False),
    ],
)
def test_routing_keys_are_matched_as_topic_exchanges_do(pattern: str, key: str, fits: bool) -> None:
    assert matches(pattern, key) is fits
