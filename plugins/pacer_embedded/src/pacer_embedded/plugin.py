"""What the plugin registers: the protocols ``sqlite`` and ``memory``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kombu import Connection

from pacer_core import TransportType, hookimpl
from pacer_embedded import register
from pacer_embedded.capabilities import MEMORY, SQLITE
from pacer_embedded.options import FileOptions, MemoryOptions


@hookimpl
def pacer_transports() -> Iterator[TransportType]:
    """Give the embedded broker, in a file and in memory."""
    yield TransportType(
        protocols=("sqlite",),
        options=FileOptions,
        capabilities=SQLITE,
        connect=_file,
        address=_file_address,
        key_file=lambda options: Path(f"{os.path.realpath(options.path)}.key"),
    )
    yield TransportType(
        protocols=("memory",), options=MemoryOptions, capabilities=MEMORY, connect=_memory,
        address=lambda *_: _IN_MEMORY,
    )  # fmt: skip


_IN_MEMORY = "pacer+memory://main"


def _file(options: FileOptions, _: str) -> Any:
    register()
    return Connection(f"pacer+sqlite:///{quote(options.path)}")


def _file_address(options: FileOptions, _: str) -> str:
    return f"pacer+sqlite:///{options.path}"


def _memory(_: MemoryOptions, __: str) -> Any:
    register()
    return Connection(_IN_MEMORY)
