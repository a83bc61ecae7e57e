"""The service ``kafka``: a member of a consumer group whose records become messages."""

from __future__ import annotations

from collections.abc import Iterator

from pacer_core import Seen, ServiceContext, ServiceType
from pacer_kafka.options import KafkaOptions


def run(ctx: ServiceContext) -> None:
    """Take over what comes in on the topics, until told to end."""
    from pacer_kafka.loop import Reading  # librdkafka is loaded by who reads Kafka, and by nobody else

    Reading(ctx).run()


def check(options: KafkaOptions) -> Iterator[Seen]:
    """Ask Kafka for the topics, with the same account; no group is joined."""
    from pacer_kafka.trouble import look

    yield from look(options)


KAFKA = ServiceType(
    name="kafka",
    options=KafkaOptions,
    run=run,
    check=check,
    publishes=lambda options: options.ends,
    counts=("taken", "ignored", "null_values", "unreadable", "writer_errors", "refused", "pauses"),
)
