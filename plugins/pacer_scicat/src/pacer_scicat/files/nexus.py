"""What a NeXus file holds, read with care. The only door to h5py.

The descriptor that was checked is what HDF5 opens: a link that takes the file's place leads nowhere. Links
and storage that lead out of the file are not followed. It is h5py's lower level, HDF5's own calls, that is
used: many threads read files at once, and h5py's objects hold the interpreter's lock three times as long.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import cache
from math import prod
from typing import Any

import numpy
from attrs import define
from h5py import h5a, h5d, h5f, h5g, h5l, h5o, h5p, h5s, h5t

from pacer_core import Retry
from pacer_scicat.files.watch import WATCH
from pacer_scicat.schemas.extensions import VariableError

LARGEST = 100_000
"""Elements that become one variable at most."""
LARGEST_BYTES, LARGEST_CHUNK = 16 * 1024 * 1024, 256 * 1024 * 1024
"""Bytes of a value at most, and of the piece of the file that has to be unpacked for it."""
_LONGEST_UNIT = 4096
_HOPS, _KEPT, _NAME = 32, 256, 10
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
        with WATCH.over(name):
            file = h5f.open(f"/proc/self/fd/{descriptor}".encode(), h5f.ACC_RDONLY, _access())
    except OSError as error:
        raise Retry(f"{name}: {_why(error)}") from None
    try:
        yield NexusFile(file, name)
    finally:
        with WATCH.over(name):
            file.close()


@cache
def _access() -> h5p.PropFAID:
    """Give how files are opened: what is open in one is closed with it, as h5py has it."""
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    return access


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

    def __init__(self, file: h5f.FileID, name: str) -> None:
        self._file, self._called = file, name
        self._groups: dict[tuple[str, ...], h5g.GroupID] = {}

    def read(self, path: str, *, several: bool) -> tuple[Any, str | None]:
        """Give what stands at a path, and its unit.

        With ``several``, a segment may hold wildcards: each dataset that fits gives one element.

        Raises
        ------
        VariableError
            Where nothing is there, or nothing that JSON could hold.
        Retry
            Where the disk does not give it.
        """
        segments = _segments(path)
        with _reading(path), WATCH.over(f"{self._called}:{path}"):
            if not any(_is_pattern(one) for one in segments):
                return self._one(segments, _Budget(path))
            if not several:
                raise VariableError(f"{path} has a wildcard: its type has to be a list, such as string[]")
            budget = _Budget(path)
            found = [self._one(one, budget) for one in self._fitting(segments, budget)]
            if not found:
                raise VariableError(f"nothing fits {path}")
            return [value for value, _ in found], found[0][1]

    def _fitting(
        self, segments: list[str], budget: _Budget, so_far: tuple[str, ...] = ()
    ) -> Iterator[list[str]]:
        """Give the paths that fit, in the order of their names."""
        if not segments:
            yield list(so_far)
            return
        first, rest = segments[0], segments[1:]
        if not _is_pattern(first):
            yield from self._fitting(rest, budget, (*so_far, first))
            return
        try:
            group = self._walk(so_far)
        except VariableError:
            return
        if isinstance(group, h5g.GroupID):
            budget.spend(_NAME * len(group))
            for name in sorted(_text(name) for name in group):
                if fnmatchcase(name, first) and self._leads((*so_far, name), rest):
                    yield from self._fitting(rest, budget, (*so_far, name))

    def _leads(self, so_far: tuple[str, ...], rest: list[str]) -> bool:
        """Tell whether there is something behind a name that fits: other things fit by accident."""
        if not rest:
            return True
        try:
            inner = self._walk(so_far)
        except VariableError:
            return False
        return isinstance(inner, h5g.GroupID) and (_is_pattern(rest[0]) or _link(inner, rest[0]) is not None)

    def _walk(self, segments: Sequence[str]) -> Any:
        """Give what is at a path. HDF5 follows no link itself: it would open whatever one names."""
        above = tuple(segments[:-1])
        at: Any = self._groups.get(above, self._file)
        todo = list(reversed(segments if at is self._file else segments[-1:]))
        place, hops = f"/{'/'.join(segments)}", 0
        while todo:
            name = todo.pop()
            kind = _link(at, name) if isinstance(at, h5g.GroupID) else None
            if kind is None:
                raise VariableError(f"nothing is at {place}")
            if kind == h5l.TYPE_HARD:
                if not todo and not hops and len(self._groups) < _KEPT:
                    self._groups[above] = at
                at = h5o.open(at, _name(name))
            elif kind == h5l.TYPE_SOFT:
                hops += 1
                if hops > _HOPS:
                    raise VariableError(f"{place} leads round in circles")
                target = _text(at.links.get_val(_name(name)))
                at = self._file if target.startswith("/") else at
                todo.extend(reversed(_segments(target)))
            else:
                raise VariableError(f"{place} leads into another file: such links are not followed")
        return at

    def _one(self, segments: Sequence[str], budget: _Budget) -> tuple[Any, str | None]:
        path = f"/{'/'.join(segments)}"
        dataset = self._walk(segments)
        if not isinstance(dataset, h5d.DatasetID):
            raise VariableError(f"{path} is a group, and no value")
        kept = dataset.get_create_plist()
        layout = kept.get_layout()
        if layout == h5d.VIRTUAL or kept.get_external_count():
            raise VariableError(f"{path} is kept in another file: such values are not read")
        shape = dataset.shape
        if shape is None:
            raise VariableError(f"{path} is empty")
        size = prod(shape)
        if size > LARGEST:
            raise VariableError(f"{path} has {size} elements: {LARGEST} are read at most")
        budget.spend(size)
        kind = dataset.dtype
        piece = prod(kept.get_chunk()) if layout == h5d.CHUNKED else 0
        if size * kind.itemsize > LARGEST_BYTES or piece * kind.itemsize > LARGEST_CHUNK:
            raise VariableError(f"{path} takes more memory than a value may")
        return _plain(_read(dataset, shape, kind), path), _unit(dataset)


@define
class _Budget:
    """How much may be looked at for one path: elements, and names of groups, of which each costs more."""

    path: str
    left: int = LARGEST

    def spend(self, much: int) -> None:
        """Take from what is left.

        Raises
        ------
        VariableError
            Where that is not enough.
        """
        self.left -= much
        if self.left < 0:
            raise VariableError(f"{self.path} fits too much of this file: be more precise")


@contextmanager
def _reading(path: str) -> Iterator[None]:
    """Say of what HDF5 cannot read that this variable has no value; of a disk's trouble that it may pass."""
    try:
        yield
    except OSError as error:
        if error.errno:
            raise Retry(f"{path} cannot be read now: {os.strerror(error.errno)}") from None
        raise VariableError(f"{path} cannot be read: {type(error).__name__}") from None
    except (RuntimeError, LookupError, TypeError, ValueError, ArithmeticError, MemoryError) as error:
        raise VariableError(f"{path} cannot be read: {type(error).__name__}") from None


def _segments(path: str) -> list[str]:
    return [one for one in path.split("/") if one not in ("", ".")]


def _name(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _link(group: h5g.GroupID, name: str) -> int | None:
    """Give the kind of a link, which is not followed; ``None`` where there is none."""
    links = group.links
    return int(links.get_info(_name(name)).type) if links.exists(_name(name)) else None


def _read(held: h5d.DatasetID | h5a.AttrID, shape: tuple[int, ...], kind: numpy.dtype[Any]) -> Any:
    """Give all that a dataset or an attribute holds."""
    values = numpy.zeros(shape, kind)
    memory = h5t.py_create(kind)
    if isinstance(held, h5a.AttrID):
        held.read(values, memory)
    elif values.size:
        held.read(h5s.ALL, h5s.ALL, values, memory)
    return values[()]


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


def _unit(dataset: h5d.DatasetID) -> str | None:
    if not h5a.exists(dataset, b"units"):
        return None
    held = h5a.open(dataset, b"units")
    shape = held.shape
    if shape is None or held.get_storage_size() > _LONGEST_UNIT:
        return None
    unit = _read(held, shape, held.dtype)
    if isinstance(unit, numpy.ndarray):
        unit = unit.flat[0] if unit.size else None
    if isinstance(unit, bytes):
        unit = unit.decode("utf-8", "replace")
    return str(unit) if unit is not None and str(unit).strip() else None
