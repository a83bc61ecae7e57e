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
    schema: Schema | None
    problems: tuple[Problem, ...]


@define
class SchemaFolder:
    """A folder of schemas; a bad file is reported once, and does not stop the others. Safe for threads."""

    folder: Path
    _read: dict[str, _Read] = field(factory=dict)
    _stamps: dict[str, Stamp] = field(factory=dict)
    _usable: list[Schema] = field(factory=list)
    _lock: threading.Lock = field(factory=threading.Lock, repr=False)

    def schemas(self) -> Sequence[Schema]:
        """Give the schemas that can be used, in the order in which they are tried.

        Raises
        ------
        PacerError
            Where the folder cannot be read.
        """
        with self._lock:
            self._look()
            return self._usable

    def problems(self) -> list[Problem]:
        """Give every mistake of every file."""
        with self._lock:
            self._look()
            return [problem for one in self._read.values() for problem in one.problems]

    def _look(self) -> None:
        """Read what has changed since the last look; with each message, so that it costs little."""
        stamps = self._seen()
        if stamps != self._stamps:
            self._read = {file: self._known(file, stamp) for file, stamp in sorted(stamps.items())}
            usable = [one.schema for one in self._read.values() if one.schema is not None]
            self._stamps, self._usable = stamps, sorted(usable, key=_order)  # new: others hold the old ones

    def _known(self, file: str, stamp: Stamp) -> _Read:
        known = self._read.get(file)
        return known if known is not None and self._stamps[file] == stamp else self._one(Path(file))

    def _seen(self) -> dict[str, Stamp]:
        try:
            with os.scandir(self.folder) as entries:
                return {one.path: _stamp(one) for one in entries if is_schema_file(one.name)}
        except OSError as error:
            raise PacerError(
                f"the schemas in {self.folder} cannot be read: {error.strerror}; correct 'schemas'"
            ) from None

    @staticmethod
    def _one(file: Path) -> _Read:
        schema, problems = read(file, extensions())
        for problem in problems:
            (log.error if problem.serious else log.warning)("%s", problem)
        return _Read(schema, tuple(problems))


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
