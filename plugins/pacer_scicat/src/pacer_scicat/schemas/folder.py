"""The schemas of a folder: read again when a file has changed, and chosen for a file."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from attrs import define, field, frozen

from pacer_core import PacerError
from pacer_scicat.schemas.extensions import extensions
from pacer_scicat.schemas.model import Problem, Schema
from pacer_scicat.schemas.reading import is_schema_file, read

log = logging.getLogger("pacer.scicat.schemas")

Stamp = tuple[int, int]


@frozen
class _Read:
    stamp: Stamp
    schema: Schema | None
    problems: tuple[Problem, ...]


@define
class SchemaFolder:
    """A folder of schemas; a bad file is reported once, and does not stop the others. Safe for threads."""

    folder: Path
    _read: dict[Path, _Read] = field(factory=dict)
    _lock: threading.Lock = field(factory=threading.Lock, repr=False)

    def schemas(self) -> list[Schema]:
        """Give the schemas that can be used, in the order in which they are tried.

        Raises
        ------
        PacerError
            Where the folder cannot be read.
        """
        read_now = self._look().values()
        return sorted((one.schema for one in read_now if one.schema is not None), key=_order)

    def problems(self) -> list[Problem]:
        """Give every mistake of every file."""
        return [problem for one in self._look().values() for problem in one.problems]

    def _look(self) -> dict[Path, _Read]:
        with self._lock:
            stamps = dict(self._stamps())
            if {file: one.stamp for file, one in self._read.items()} != stamps:
                # A new mapping: another thread may be reading the one that it was given.
                self._read = {file: self._known(file, stamp) for file, stamp in stamps.items()}
            return self._read

    def _known(self, file: Path, stamp: Stamp) -> _Read:
        known = self._read.get(file)
        return known if known is not None and known.stamp == stamp else self._one(file, stamp)

    def _stamps(self) -> Sequence[tuple[Path, Stamp]]:
        try:
            with os.scandir(self.folder) as entries:
                found = [(Path(one.path), _stamp(one)) for one in entries if is_schema_file(one.name)]
        except OSError as error:
            raise PacerError(
                f"the schemas in {self.folder} cannot be read: {error.strerror}; correct 'schemas'"
            ) from None
        return sorted(found)

    @staticmethod
    def _one(file: Path, stamp: Stamp) -> _Read:
        schema, problems = read(file, extensions())
        for problem in problems:
            (log.error if problem.serious else log.warning)("%s", problem)
        return _Read(stamp, schema, tuple(problems))


def _stamp(entry: os.DirEntry[str]) -> Stamp:
    """Give what changes when a file does; a link to nothing is told by who reads it."""
    try:
        status = entry.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def _order(schema: Schema) -> tuple[float, str, str]:
    return schema.order, schema.name.capitalize(), schema.file.name


def choose(schemas: Sequence[Schema], path: str, fallback: str | None) -> Schema | None:
    """Give the first schema that selects a path, else the one that is the fallback: by id, name or file."""
    for schema in schemas:
        if schema.selects(path):
            return schema
    if fallback is None:
        return None
    return next(
        (one for one in schemas if fallback in (one.id, one.name, one.file.name, str(one.file))), None
    )
