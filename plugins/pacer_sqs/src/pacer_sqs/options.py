"""What YAML says of a broker that is SQS."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Literal

from attrs import Attribute, field, frozen

from pacer_core import Secret

_PREFIX = re.compile(r"[A-Za-z0-9_-]{0,40}")


def _a_prefix(_: object, __: Attribute[str], value: str) -> None:
    if not _PREFIX.fullmatch(value):
        raise ValueError("give at most 40 letters, digits, '-' and '_'")


def _between(least: int, most: int) -> Callable[[object, Attribute[timedelta], timedelta], None]:
    def check(_: object, __: Attribute[timedelta], value: timedelta) -> None:
        seconds = value.total_seconds()
        if not least <= seconds <= most or seconds != int(seconds):
            raise ValueError(f"give whole seconds, from {least} to {most}")

    return check


@frozen
class LargeBodies:
    """Where bodies wait that are larger than SQS takes, in the format of Amazon's extended client.

    Attributes
    ----------
    bucket
        The bucket of S3; objects are written, read and removed there, and in no other one.
    prefix
        What their keys begin with.
    endpoint
        The URL of an S3 that is not Amazon's.
    """

    bucket: str
    prefix: str = ""
    endpoint: str | None = None


@frozen
class Binding:
    """A queue bound to an exchange.

    Attributes
    ----------
    exchange
        The name of the exchange.
    queue
        The queue that takes its messages.
    routing_key
        The routing key of the binding; by default the queue's name.
    type
        The kind of exchange, as in AMQP 0-9-1; all bindings of one exchange say the same.
    """

    exchange: str
    queue: str
    routing_key: str | None = None
    type: Literal["direct", "topic", "fanout"] = "direct"


@frozen
class SqsOptions:
    """Amazon SQS, or a server that speaks its protocol.

    Attributes
    ----------
    region
        The region of AWS; by default the one that boto3 finds in the environment or in its own files.
    endpoint
        The URL of a server that is not Amazon's, or of a VPC endpoint.
    profile
        A profile of boto3's own files.
    access_key_id, secret_access_key
        Where boto3 shall not look for credentials by itself, in the environment, in its files, or in the role
        of the machine; one does not go without the other.
    queue_prefix
        What the names of all queues begin with at SQS, and nowhere else.
    fifo
        Whether the queues that PACER makes are FIFO queues: their names end in ``.fifo`` at SQS. Without it
        those are whose names end so in this file.
    group_header
        Which header of a message is its ``MessageGroupId`` on a FIFO queue; messages without it are one
        group.
    visibility_timeout
        How long SQS hides a message in somebody's hand after the last sign of life: what a killed process
        holds comes back by then.
    long_poll
        How long a request for messages waits for them.
    connect_timeout
        How long connecting may take.
    large_bodies
        Where bodies of more than 1 MiB wait; without it such messages are refused.
    bindings
        For a recipient: which queues take what is forwarded to an exchange there, since SQS has no exchanges.
        Those of the main broker are in ``exchanges`` and ``queues``.
    """

    region: str | None = None
    endpoint: str | None = None
    profile: str | None = None
    access_key_id: str | None = None
    secret_access_key: Secret | None = None
    queue_prefix: str = field(default="", validator=_a_prefix)
    fifo: bool = False
    group_header: str = "MessageGroupId"
    visibility_timeout: timedelta = field(default=timedelta(seconds=30), validator=_between(2, 3600))
    long_poll: timedelta = field(default=timedelta(seconds=10), validator=_between(1, 20))
    connect_timeout: timedelta = field(default=timedelta(seconds=10), validator=_between(1, 300))
    large_bodies: LargeBodies | None = None
    bindings: tuple[Binding, ...] = ()

    def __attrs_post_init__(self) -> None:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("give both accessKeyId and secretAccessKey, or neither")
        types: dict[str, str] = {}
        for one in self.bindings:
            if types.setdefault(one.exchange, one.type) != one.type:
                raise ValueError(f"the bindings of exchange {one.exchange!r} give it more than one type")
