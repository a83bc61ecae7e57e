"""Brokers of one machine that share a folder, each with a name and without priorities."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import Attribute, evolve, field, frozen

from pacer_core import BrokerError, TransportType, hookimpl
from pacer_embedded import FILE, FileOptions


def _a_word(_: object, __: Attribute[str], value: str) -> None:
    if not value.isalnum():
        raise ValueError("give letters and digits")


@frozen
class FolderOptions:
    """A broker in a folder.

    Attributes
    ----------
    folder
        Where all brokers of the machine are.
    label
        The name of this one.
    """

    folder: str
    label: str = field(default="main", validator=_a_word)


def connect(options: FolderOptions, _: str) -> Any:
    """Give kombu's connection; it is opened by PACER."""
    if not Path(options.folder).is_dir():
        raise BrokerError(f"there is no folder {options.folder!r}: make it")
    assert FILE.connect is not None
    return FILE.connect(FileOptions(path=f"{options.folder}/{options.label}.broker"), "sqlite")


def address(options: FolderOptions, protocol: str) -> str:
    """Name a broker in errors and logs."""
    return f"{protocol}:{options.folder}#{options.label}"


FOLDER = TransportType(
    protocols=("folder",),
    options=FolderOptions,
    capabilities=evolve(FILE.capabilities, priorities=False),
    connect=connect,
    address=address,
)


@hookimpl
def pacer_transports() -> Iterator[TransportType]:
    """Give the transport."""
    yield FOLDER
