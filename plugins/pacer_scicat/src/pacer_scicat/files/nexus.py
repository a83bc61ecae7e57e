"""What a NeXus file holds, read with care. The only door to h5py.

The descriptor that was checked is what HDF5 opens: a link that takes the file's place leads nowhere. Links
and storage that lead out of the file are not followed.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any

import h5py
import numpy

from pacer_core import Retry
from pacer_scicat.schemas.extensions import VariableError

LARGEST = 100_000
"""Elements of an array that become metadata at most."""
_HELD = (errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK)


@contextmanager
def open_nexus(descriptor: int, name: str) -> Iterator[NexusFile]:
    """Open a file by its descriptor, for reading.

    Raises
    ------
    Retry
        Where its writer still holds it, or what is there so far is no whole HDF5 file.
    """
    try:
        file = h5py.File(f"/proc/self/fd/{descriptor}", "r")
    except OSError as error:
        raise Retry(f"{name}: {_why(error)}") from None
    with file:
        yield NexusFile(file)


def _why(error: OSError) -> str:
    text = str(error)
    if error.errno in _HELD or "unable to lock file" in text or "already open for write" in text:
        return "its writer still holds it"
    if "truncated file" in text:
        return "it is cut off, or not written to its end yet"
    if "file signature not found" in text:
        return "it is no HDF5 file, or not written yet"
    return f"HDF5 cannot open it ({error.strerror or 'without a reason'})"


class NexusFile:
    """An open file: values by their paths."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file

    def read(self, path: str, *, several: bool) -> tuple[Any, str | None]:
        """Give what stands at a path, and its unit.

        With ``several``, a segment may hold wildcards: each dataset that fits gives one element.

        Raises
        ------
        VariableError
            Where nothing is there, or nothing that JSON could hold.
        """
        segments = [one for one in path.split("/") if one]
        if not any(_is_pattern(one) for one in segments):
            return self._one(segments, path)
        if not several:
            raise VariableError(f"{path} has a wildcard: its type has to be a list, string[] for instance")
        found = [self._one(one, "/".join(one)) for one in self._fitting(segments)]
        if not found:
            raise VariableError(f"nothing fits {path}")
        return [value for value, _ in found], found[0][1]

    def _fitting(self, segments: list[str], so_far: tuple[str, ...] = ()) -> Iterator[list[str]]:
        """Give the paths that fit, in the order of their names."""
        if not segments:
            yield list(so_far)
            return
        first, rest = segments[0], segments[1:]
        if not _is_pattern(first):
            yield from self._fitting(rest, (*so_far, first))
            return
        try:
            group = self._walk(so_far)
        except VariableError:
            return
        if isinstance(group, h5py.Group):
            for name in sorted(group):
                if fnmatchcase(name, first) and self._leads(group, name, rest):
                    yield from self._fitting(rest, (*so_far, name))

    @staticmethod
    def _leads(group: h5py.Group, name: str, rest: list[str]) -> bool:
        """Tell whether there is something behind a name that fits: other things fit by accident."""
        if not rest:
            return True
        if NexusFile._is_external(group, name):
            return False
        inner = group.get(name)
        return isinstance(inner, h5py.Group) and (_is_pattern(rest[0]) or rest[0] in inner)

    @staticmethod
    def _is_external(group: h5py.Group, name: str) -> bool:
        return group.get(name, getclass=True, getlink=True) is h5py.ExternalLink

    def _walk(self, segments: tuple[str, ...] | list[str]) -> Any:
        at: Any = self._file
        for name in segments:
            if not isinstance(at, h5py.Group):
                raise VariableError(f"nothing is at /{'/'.join(segments)}")
            place = f"/{'/'.join(segments)}"
            found = None if self._is_external(at, name) else at.get(name)
            if found is None:
                if self._is_external(at, name):
                    raise VariableError(f"{place} leads into another file: such links are not followed")
                raise VariableError(f"nothing is at {place}")
            if found.file.filename != self._file.filename:  # by a link of this file's to such a link
                raise VariableError(f"{place} leads into another file: such links are not followed")
            at = found
        return at

    def _one(self, segments: list[str], path: str) -> tuple[Any, str | None]:
        dataset = self._walk(segments)
        if not isinstance(dataset, h5py.Dataset):
            raise VariableError(f"{path} is a group, and no value")
        if dataset.external or dataset.is_virtual:
            raise VariableError(f"{path} is kept in another file: such values are not read")
        if dataset.shape is None:
            raise VariableError(f"{path} is empty")
        if dataset.size > LARGEST:
            raise VariableError(f"{path} has {dataset.size} elements: {LARGEST} are read at most")
        try:
            return _plain(dataset[()], path), _unit(dataset)
        except (OSError, TypeError, ValueError) as error:
            raise VariableError(f"{path} cannot be read: {type(error).__name__}") from None


def _is_pattern(segment: str) -> bool:
    return any(sign in segment for sign in "*?[")


def _plain(value: Any, path: str) -> Any:
    """Give a value as Python has it: strings of every kind as text, arrays of one element as that."""
    if isinstance(value, bytes):
        return value.rstrip(b"\0").decode("utf-8", "replace")
    if isinstance(value, numpy.ndarray):
        if value.dtype.names is not None:
            raise VariableError(f"{path} is a table, and no value")
        if value.size == 0:
            raise VariableError(f"{path} is empty")
        listed = [_plain(one, path) for one in value]
        return listed[0] if len(listed) == 1 else listed
    if isinstance(value, numpy.void):
        raise VariableError(f"{path} is a record, and no value")
    if isinstance(value, numpy.generic):
        value = value.item()
        return _plain(value, path) if isinstance(value, bytes) else value
    if isinstance(value, str | int | float | bool):
        return value
    raise VariableError(f"{path} holds {type(value).__name__}, which is no value")


def _unit(dataset: h5py.Dataset) -> str | None:
    unit = dataset.attrs.get("units")
    if isinstance(unit, numpy.ndarray):
        unit = unit.flat[0] if unit.size else None
    if isinstance(unit, bytes):
        unit = unit.decode("utf-8", "replace")
    return str(unit) if unit is not None and str(unit).strip() else None
