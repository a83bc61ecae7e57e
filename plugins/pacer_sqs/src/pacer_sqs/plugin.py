"""What PACER finds by the entry point."""

from __future__ import annotations

from collections.abc import Iterator

from pacer_core import TransportType, hookimpl
from pacer_sqs.kinds import SQS


@hookimpl
def pacer_transports() -> Iterator[TransportType]:
    """Give the transport."""
    yield SQS
