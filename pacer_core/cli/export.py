"""Dead letters as files, and files as messages again.

In a folder each letter is two files: the body, byte for byte, and beside it ``NAME.letter``, JSON with
everything else. In a ``.jsonl`` file each letter is one line, with the body as base64.
"""

from __future__ import annotations

import mimetypes
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from pacer_core.model.errors import PacerError
from pacer_core.model.json_output import dumps
from pacer_core.model.messages import Envelope
from pacer_core.transport.letter_json import whole
from pacer_core.transport.letters import DeadLetter

LETTER = ".letter"
_FORMAT, _VERSION = "pacer-letter", 1
_ENDINGS = {"application/json": ".json", "application/xml": ".xml", "text/xml": ".xml"}


class ExportError(PacerError):
    """A file of letters cannot be written or read."""


class Writer:
    """Writes letters to a folder, or to a new ``.jsonl`` file; readable for their owner alone.

    Raises
    ------
    ExportError
        Where the file is there already, or cannot be written.
    """

    def __init__(self, target: Path, *, durable: bool) -> None:
        self._target, self._durable = target, durable
        self._file: int | None = None
        try:
            if target.suffix == ".jsonl":
                self._file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            else:
                target.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise _cannot_write(target, error) from None

    def write(self, letters: Sequence[DeadLetter]) -> None:
        """Write letters; with ``durable`` they are on the disk when this returns."""
        try:
            for letter in letters:
                if self._file is None:
                    self._write_pair(letter)
                else:
                    _write(self._file, dumps(_data(letter) | {"body": _base64(letter.envelope.body)}) + b"\n")
            if self._durable:
                self._sync()
        except OSError as error:
            raise _cannot_write(self._target, error) from None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)

    def _write_pair(self, letter: DeadLetter) -> None:
        content_type = letter.envelope.content_type or ""
        ending = _ENDINGS.get(content_type) or mimetypes.guess_extension(content_type) or ".bin"
        at = f"{letter.dead_at:%Y%m%dT%H%M%S.%f}-" if letter.dead_at else ""
        name = f"{at}{letter.id}{ending}"
        for path, data in (
            (self._target / name, letter.envelope.body),
            (self._target / f"{name}{LETTER}", dumps(_data(letter), indent=True) + b"\n"),
        ):
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                _write(file, data)
                if self._durable:
                    os.fsync(file)
            finally:
                os.close(file)

    def _sync(self) -> None:
        if self._file is not None:
            os.fsync(self._file)
            return
        folder = os.open(self._target, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def holds_letters(path: Path) -> bool:
    """Say whether a path is an export, or the body of an exported letter."""
    return path.is_dir() or path.suffix in (".jsonl", LETTER) or _beside(path).exists()


def read(path: Path) -> Iterator[tuple[str, Envelope]]:
    """Give each letter of an export, with the name of where it was found.

    Raises
    ------
    ExportError
        Where something in it is no letter.
    """
    if path.is_dir():
        for letter in sorted(path.glob(f"*{LETTER}")):
            yield str(letter.with_suffix("")), _read_pair(letter)
    elif path.suffix == ".jsonl":
        with path.open("rb") as file:
            for number, text in enumerate(file, 1):
                where = f"{path}:{number}"
                data = _load(text, where)
                yield where, _envelope(data, b64decode(str(data.get("body", ""))), where)
    else:
        letter = path if path.suffix == LETTER else _beside(path)
        yield str(letter.with_suffix("")), _read_pair(letter)


def _beside(body: Path) -> Path:
    return body.with_name(body.name + LETTER)


def _read_pair(letter: Path) -> Envelope:
    try:
        return _envelope(
            _load(letter.read_bytes(), str(letter)), letter.with_suffix("").read_bytes(), str(letter)
        )
    except OSError as error:
        raise ExportError(f"{error.filename}: cannot be read: {error.strerror}") from None


def _load(text: bytes, where: str) -> dict[str, Any]:
    with suppress(orjson.JSONDecodeError):
        data = orjson.loads(text)
        if isinstance(data, dict) and data.get(_FORMAT) == _VERSION:
            return data
    raise ExportError(
        f"{where}: is no letter that `pacer dead export` has written, or not all of it; where the export was "
        f"interrupted, the letter is in its dead queue still"
    )


def _data(letter: DeadLetter) -> dict[str, Any]:
    return {_FORMAT: _VERSION} | whole(letter)


def _envelope(data: Mapping[str, Any], body: bytes, where: str) -> Envelope:
    try:
        return Envelope(
            body=body,
            queue=str(data["came_from"] or ""),
            exchange=str(data["exchange"]),
            routing_key=str(data["routing_key"]),
            headers=dict(data["headers"]),
            original=dict(data["original"]),
            properties=dict(data["properties"]),
            correlation_id=str(data["correlation_id"] or ""),
            path=tuple(data["path"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ExportError(f"{where}: is no whole letter: {type(error).__name__} at {error}") from None


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def _cannot_write(target: Path, error: OSError) -> ExportError:
    why = "is there already" if isinstance(error, FileExistsError) else error.strerror or "cannot be written"
    return ExportError(f"{error.filename or target}: {why}; nothing was removed that is not written")
