"""What the plugin registers: the protocols ``sqlite`` and ``memory``."""

from __future__ import annotations

from collections.abc import Iterator

from pacer_core import TransportType, hookimpl
from pacer_embedded.kinds import FILE, MEMORY


@hookimpl
def pacer_transports() -> Iterator[TransportType]:
    """Give the embedded broker, in a file and in memory."""
    yield FILE
    yield MEMORY
