"""The two kinds of embedded broker, as PACER knows them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kombu import Connection

from pacer_core import TransportType
from pacer_embedded.capabilities import MEMORY as NOTHING_KEPT
from pacer_embedded.capabilities import SQLITE
from pacer_embedded.options import FileOptions, MemoryOptions
from pacer_embedded.urls import register

IN_MEMORY = "pacer+memory://main"
"""The one broker in memory that a process has."""


def _file(options: FileOptions, _: str) -> Any:
    register()
    return Connection(f"pacer+sqlite:///{quote(options.path)}")


def _file_address(options: FileOptions, _: str) -> str:
    return f"pacer+sqlite:///{options.path}"


def _key_file(options: FileOptions) -> Path:
    return Path(f"{os.path.realpath(options.path)}.key")


def _memory(_: MemoryOptions, __: str) -> Any:
    register()
    return Connection(IN_MEMORY)


def _memory_address(_: MemoryOptions, __: str) -> str:
    return IN_MEMORY


FILE = TransportType(
    protocols=("sqlite",),
    options=FileOptions,
    capabilities=SQLITE,
    connect=_file,
    address=_file_address,
    key_file=_key_file,
)
MEMORY = TransportType(
    protocols=("memory",),
    options=MemoryOptions,
    capabilities=NOTHING_KEPT,
    connect=_memory,
    address=_memory_address,
)
