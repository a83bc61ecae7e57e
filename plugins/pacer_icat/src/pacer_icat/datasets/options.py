"""The YAML options of a consumer of type ``datasets``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Literal

from attrs import field, frozen, validators

from pacer_core import Seen


def is_absolute(_: Any, __: Any, path: str) -> None:
    """Refuse a path that is not absolute."""
    if not os.path.isabs(path):
        raise ValueError(f"{path!r} is no absolute path")


def warn_of_roots(roots: tuple[str, ...], names: str) -> Iterator[Seen]:
    """Warn where messages may name any path; ``names`` is what a message can do with one."""
    if not roots:
        yield Seen(
            f"allowedRoots is missing, so that {names}",
            "name the folders that hold data under options.allowedRoots, or [/] where any will do",
        )


@frozen
class DatasetsOptions:
    """What a facility asks of a dataset message.

    Attributes
    ----------
    unknown_parameters
        ``reject`` a message with a parameter whose type ICAT does not know, or ``ignore`` that parameter.
    require_sample_type
        Whether ``sample.type`` has to be there.
    require_datafiles
        Whether at least one file has to be there.
    max_datafiles
        The number of files that one message may bring.
    raw_type, processed_type
        The names of the dataset types. A dataset with a parameter ``input_datasets`` is processed.
    allowed_roots
        Absolute folders. Where there are some, the dataset's folder and its files have to be below one of
        them, with symbolic links and ``..`` resolved on this machine.
    must_exist
        Whether the dataset's folder and its files have to be there on this machine.
    list_files
        Whether a message without files brings all files below its folder that are not hidden.
    stat_files
        Whether sizes, where the message has none, and times are those on this machine's disks.
    checksums
        The checksum that every new file is stored with; each file is read for it.
    """

    unknown_parameters: Literal["reject", "ignore"] = "reject"
    require_sample_type: bool = False
    require_datafiles: bool = False
    max_datafiles: int = field(default=30_000, validator=validators.ge(1))
    raw_type: str = "acquisition"
    processed_type: str = "processed"
    allowed_roots: tuple[str, ...] = field(default=(), validator=validators.deep_iterable(is_absolute))
    must_exist: bool = False
    list_files: bool = False
    stat_files: bool = False
    checksums: Literal["md5", "sha1", "sha256"] | None = None


def warn(options: DatasetsOptions) -> Iterator[Seen]:
    """Warn of what options leave to whoever may send a message."""
    read = "read for its checksum" if options.checksums else "looked at"
    disk = options.list_files or options.stat_files or options.must_exist or options.checksums
    yield from warn_of_roots(
        options.allowed_roots,
        f"a message may have any path stored as a dataset's{f', and {read}' if disk else ''}",
    )
