"""``metadata.txt``: an array of rows, each for a table of Pacifica's catalogue.

We read what we act on, and hand everything else on as it came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from attrs import evolve, frozen

from pacer_core import read_integer
from pacer_pacifica.bundles.errors import ContentError, MetadataError
from pacer_pacifica.bundles.hashes import Hash, read_hash
from pacer_pacifica.bundles.members import DATA
from pacer_pacifica.bundles.names import components, shown

TABLE = "destinationTable"
FILES, KEY_VALUES = "Files", "TransactionKeyValue"
SUBMITTER, PROJECT, INSTRUMENT = "submitter", "project", "instrument"
_TERMS = (SUBMITTER, PROJECT, INSTRUMENT)
_DEEPEST = 40
_HALVES = re.compile(rb"\\u[dD][89a-fA-F]")  # of characters, which JSON may name by themselves


@frozen
class File:
    """A file that metadata declare.

    Attributes
    ----------
    row
        The row as it came.
    path
        Where it has to be in the bundle, in normal form: ``data/a/b.txt``.
    size
        The size that is declared, in bytes, or ``None``.
    hashtype, hashsum
        As they were written; see `hash`.
    source
        For a move: where it is on the archive's host.
    """

    row: Mapping[str, Any]
    path: str
    size: int | None
    hashtype: str | None
    hashsum: str | None
    source: str | None = None

    @property
    def below_data(self) -> str:
        """Its path without ``data/``."""
        return self.path.removeprefix(f"{DATA}/")

    @cached_property
    def hash(self) -> Hash:
        """Its hash in normal form.

        Raises
        ------
        ContentError
            Where there is none, or none that can be checked.
        """
        try:
            return read_hash(self.hashtype, self.hashsum)
        except ContentError as error:
            raise ContentError(f"{shown(self.path)} {error}") from None

    @property
    def modified(self) -> datetime | None:
        """When it was last changed, in UTC, or ``None`` where its ``mtime`` is missing or no time."""
        text = self.row.get("mtime")
        try:
            time = datetime.fromisoformat(text) if isinstance(text, str) else None
        except ValueError:
            return None
        return None if time is None else time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)


@frozen
class Metadata:
    """What an upload says of itself.

    ``terms`` are the values of ``Transactions.submitter``, ``.project`` and ``.instrument``, as text;
    ``key_values`` those of ``TransactionKeyValue``, in their order.
    """

    rows: tuple[Mapping[str, Any], ...]
    terms: Mapping[str, str]
    key_values: tuple[tuple[str, str], ...]
    files: tuple[File, ...]

    def with_ids(self, job_id: int, first: int) -> list[dict[str, Any]]:
        """Give the rows as Pacifica's metadata service takes them.

        The transaction's number is the job's, files are numbered in their order from ``first`` on, hashes are
        in their normal form, and ``subdir`` comes without ``data``.

        Raises
        ------
        ContentError
            Where a file has no hash that can be checked.
        """
        rows: list[dict[str, Any]] = []
        number = first
        files = iter(self.files)
        for row in self.rows:
            if row[TABLE] == "Transactions._id":
                continue
            if row[TABLE] != FILES:
                rows.append(dict(row))
                continue
            file = next(files)
            subdir, _, name = file.below_data.rpartition("/")
            ours = {"_id": number, "subdir": subdir, "name": name}
            hashed = {"hashtype": file.hash.type, "hashsum": file.hash.digest}
            rows.append({key: value for key, value in {**row, **ours, **hashed}.items() if key != "source"})
            number += 1
        rows.append({TABLE: "Transactions._id", "value": job_id})
        return rows


def read_metadata(text: bytes | None, *, moving: bool = False) -> Metadata:
    """Read ``metadata.txt``, or the document of a move.

    Raises
    ------
    MetadataError
        Where it is missing, no JSON array of rows, or names a file that may not be named so.
    """
    what = "the document" if moving else "metadata.txt"
    if text is None:
        raise MetadataError("the bundle has no metadata.txt at its top")
    rows = _rows(text, what)
    files = tuple(_files(rows, moving=moving))
    first: dict[str, File] = {}
    for file in files:
        if first.setdefault(file.path, file) is not file:
            raise MetadataError(f"{shown(file.path)} is declared twice")
    if not files:
        raise MetadataError(f"{what} declares no file")
    for path in first:
        if any(above in first for above in _above(path)):
            raise MetadataError(f"{what} declares a file and a folder of one name, above {shown(path)}")
    return Metadata(tuple(rows), _terms(rows), tuple(_key_values(rows)), files)


def _above(path: str) -> Iterator[str]:
    """Give the folders that a path leads through."""
    end = path.find("/")
    while end >= 0:
        yield path[:end]
        end = path.find("/", end + 1)


def _rows(text: bytes, what: str) -> list[Mapping[str, Any]]:
    try:
        found = json.loads(text.decode("utf-8-sig"), parse_constant=_no_constant)
        if _HALVES.search(text):
            json.dumps(found, ensure_ascii=False).encode()  # what it names by halves, nobody could be sent
    except UnicodeDecodeError:
        raise MetadataError(f"{what} is not UTF-8") from None
    except UnicodeEncodeError:
        raise MetadataError(f"{what} holds half a character") from None
    except json.JSONDecodeError as error:
        raise MetadataError(f"{what} is no JSON: {error.msg} in line {error.lineno}") from None
    except RecursionError:
        raise MetadataError(f"{what} is nested too deeply") from None
    except ValueError as error:
        raise MetadataError(f"{what} is no JSON that is accepted: {error}") from None
    if not isinstance(found, list):
        raise MetadataError(f"{what} is no JSON array")
    for place, row in enumerate(found):
        if not isinstance(row, dict) or not isinstance(row.get(TABLE), str):
            raise MetadataError(f"{what}[{place}] is no object with a {TABLE}")
        _check_depth(row, f"{what}[{place}]")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _check_depth(row: Any, where: str) -> None:
    level = [row]
    for _ in range(_DEEPEST):
        level = [below for one in level for below in _below(one)]
        if not level:
            return
    raise MetadataError(f"{where} is nested too deeply")


def _below(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else ()


def _terms(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    terms: dict[str, str] = {}
    for row in rows:
        table, _, name = row[TABLE].partition(".")
        if table != "Transactions" or name not in _TERMS:
            continue
        value = row.get("value")
        if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
            raise MetadataError(f"Transactions.{name} has no value that is a text or a whole number")
        if terms.setdefault(name, str(value)) != str(value):
            raise MetadataError(f"Transactions.{name} is given twice, with two values")
    missing = [name for name in _TERMS if name not in terms]
    if missing:
        raise MetadataError(f"Transactions.{missing[0]} is missing")
    return terms


def _key_values(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for place, row in enumerate(rows):
        if row[TABLE] != KEY_VALUES:
            continue
        key, value = row.get("key"), row.get("value")
        if not isinstance(key, str) or not key.strip() or isinstance(value, dict | list | bool):
            raise MetadataError(f"the {KEY_VALUES} at place {place} is no key with a text or a number")
        if value is not None:
            yield key, str(value)


def _files(rows: Sequence[Mapping[str, Any]], *, moving: bool) -> Iterator[File]:
    for place, row in enumerate(rows):
        if row[TABLE] != FILES:
            continue
        where = f"the file at place {place}"
        file = File(
            row=row,
            path=_path(row, where),
            size=_size(row, where),
            hashtype=_text(row, "hashtype", where),
            hashsum=_text(row, "hashsum", where),
        )
        yield evolve(file, source=_source(row, where)) if moving else file


def _path(row: Mapping[str, Any], where: str) -> str:
    """Give where a file has to be: ``data``, and what is below; a ``data`` at its beginning is that one."""
    subdir, name = _text(row, "subdir", where) or "", _text(row, "name", where) or ""
    try:
        below = components(subdir)
        named = components(name)
    except ValueError as error:
        raise MetadataError(f"{where}, {shown(f'{subdir}/{name}')}, {error}") from None
    if not named:
        raise MetadataError(f"{where} has no name")
    parts = [*below, *named]
    parts = parts[1:] if parts[0] == DATA else parts
    if not parts:
        raise MetadataError(f"{where} has no name but {DATA!r}")
    try:
        return "/".join(components("/".join([DATA, *parts])))
    except ValueError as error:
        raise MetadataError(f"{where}, {shown('/'.join(parts))}, {error}") from None


def _size(row: Mapping[str, Any], where: str) -> int | None:
    given = row.get("size")
    if given is None or given == "":
        return None
    size = None if isinstance(given, bool | float) else read_integer(given)
    if size is None or not 0 <= size < 2**63:
        raise MetadataError(f"{where} has a size that is no number of bytes")
    return size


def _source(row: Mapping[str, Any], where: str) -> str:
    source = _text(row, "source", where)
    if not source or not source.startswith("/") or "\0" in source:
        raise MetadataError(f"{where} has no absolute path as its source")
    return source


def _text(row: Mapping[str, Any], name: str, where: str) -> str | None:
    value = row.get(name)
    if value is None or isinstance(value, str):
        return value
    raise MetadataError(f"{where} has a {name} that is no text")
