"""kombu's face of SQS, and what PACER knows of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from amqp.exceptions import AccessRefused
from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES

from pacer_channel import Store
from pacer_channel import Transport as Base
from pacer_core import Capabilities, TransportType
from pacer_sqs.client import QueueGone
from pacer_sqs.names import FIFO
from pacer_sqs.options import SqsOptions
from pacer_sqs.place import place_of
from pacer_sqs.store import SqsStore

_ALIAS = "pacer-sqs"
_OPTIONS = "pacer_sqs"
_NOBODYS = "pacer-is-there-an-answer"


class Transport(Base):
    """The transport behind ``protocol: sqs``."""

    driver_type = "sqs"
    driver_name = "boto3"

    def open_store(self, client: Any) -> Store:
        """Open SQS for one more connection; it is asked for a queue that nobody has, to see that it answers.

        Raises
        ------
        BrokerError
            Where the options are wrong, or the credentials.
        """
        place = place_of(client.transport_options[_OPTIONS])
        with suppress(QueueGone, AccessRefused):  # refused: it may have no right to that one
            place.client.url(place.options.queue_prefix + _NOBODYS)
        return SqsStore(place)


def connect(options: SqsOptions, _: str) -> Any:
    """Give kombu's connection, unopened."""
    TRANSPORT_ALIASES[_ALIAS] = f"{__name__}:{Transport.__name__}"
    return Connection(transport=_ALIAS, hostname="sqs", transport_options={_OPTIONS: options})


def address(options: SqsOptions, protocol: str) -> str:
    """Name a broker in errors and logs."""
    where = (options.endpoint or options.region or "").removeprefix("https://").rstrip("/")
    return f"{protocol}://{where}/{options.queue_prefix}"


def account(options: SqsOptions) -> tuple[str, str, str] | None:
    """Give the credentials of the configuration, where it has some: copies are signed by them."""
    if options.access_key_id is None or options.secret_access_key is None:
        return None
    return options.access_key_id, options.secret_access_key.reveal(), options.queue_prefix


def keeps_order(broker: Mapping[str, Any], queue: str) -> bool:
    """Say whether a queue is a FIFO queue."""
    return broker.get("fifo") is True or queue.endswith(FIFO)


SQS = TransportType(
    protocols=("sqs",),
    options=SqsOptions,
    capabilities=Capabilities(
        survives_kill=True,
        several_processes=True,
        several_hosts=True,
        delays=True,
        priorities=False,
        order=False,
        expiry=False,
    ),
    connect=connect,
    address=address,
    account=account,
    keeps_order=keeps_order,
)
"""SQS, as a transport of PACER."""
