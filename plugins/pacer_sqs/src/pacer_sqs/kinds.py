"""SQS as PACER knows it; what speaks to it is loaded when a connection is opened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES

from pacer_core import Capabilities, TransportType
from pacer_sqs.names import FIFO
from pacer_sqs.options import SqsOptions

OPTIONS = "pacer_sqs"
"""Where kombu's connection has the options."""

_ALIAS = "pacer-sqs"
_TRANSPORT = "pacer_sqs.transport:Transport"


def connect(options: SqsOptions, _: str) -> Any:
    """Give kombu's connection, unopened."""
    TRANSPORT_ALIASES[_ALIAS] = _TRANSPORT
    return Connection(transport=_ALIAS, hostname="sqs", transport_options={OPTIONS: options})


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
