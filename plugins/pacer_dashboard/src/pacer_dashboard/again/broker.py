"""Which broker messages are sent to: PACER's own configuration, or ICAT-PACER's variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pacer_core import BrokerAddress, BrokerByHand, PacerError, Secret, broker_by_hand

CONFIG = "PACER_CONFIG"
"""The variable that names PACER's configuration, as of every command."""
NOWHERE = (
    "no broker is configured: set PACER_CONFIG to PACER's configuration, or RMQ_HOST and its like, for the "
    "dashboard's processes"
)


class NoBrokerError(PacerError):
    """Nobody has said where messages are to be sent."""


def where(environment: Mapping[str, str] = os.environ) -> Path | BrokerAddress:
    """Read where the broker is: ``PACER_CONFIG``, or else ``RMQ_HOST`` and its like.

    Raises
    ------
    NoBrokerError
        Where neither is given.
    PacerError
        Where the port is none.
    """
    if file := environment.get(CONFIG):
        return Path(file)
    if not environment.get("RMQ_HOST"):
        raise NoBrokerError(NOWHERE)
    port = environment.get("RMQ_PORT") or None
    if port is not None and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise PacerError("RMQ_PORT: should be a number from 1 to 65535")
    password = environment.get("RMQ_PASSWORD")
    return BrokerAddress(
        protocol=environment.get("RMQ_PROTOCOL") or "amqp",
        host=environment["RMQ_HOST"],
        port=None if port is None else int(port),
        username=environment.get("RMQ_USERNAME") or None,
        password=None if password is None else Secret(password),
        v_host=environment.get("RMQ_VHOST") or "/",
    )


def opened(environment: Mapping[str, str] = os.environ) -> BrokerByHand:
    """Give the broker; close it by ``with``. It connects when something is asked of it.

    Raises
    ------
    PacerError
        Where it is not configured, or wrongly.
    """
    return broker_by_hand(where(environment))


def trouble() -> str:
    """Say why nothing can be sent, as far as can be told without connecting; empty where all is well."""
    try:
        with opened():
            return ""
    except PacerError as error:
        return str(error)
