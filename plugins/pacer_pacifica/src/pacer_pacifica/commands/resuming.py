"""Sending a bundle by the tus protocol, and what is remembered of it, so that a second try goes on."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson

from pacer_core import PacerError
from pacer_http import Away, Conflict, HttpClient, Missing, Stream
from pacer_pacifica.commands.bundle import Piece, Source, read

_DELAYS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before it is tried again, while nothing goes up; after the last one, it is left to a person."""
_TUS = {"Tus-Resumable": "1.0.0"}
_UPLOADS = "/api/v1/uploads"


class Remembered:
    """What an earlier try at a folder has left: the hashes of files, and where the upload is."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            self._known: dict[str, Any] = orjson.loads(file.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            self._known = {}
        self._noted = time.monotonic()

    @classmethod
    def of(cls, folder: Path, url: str) -> Remembered:
        """Give what is remembered of a folder on its way to a service."""
        home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        name = hashlib.sha256(f"{folder.resolve()}\0{url}".encode("utf-8", "surrogateescape")).hexdigest()[
            :32
        ]
        return cls(home / "pacer" / "uploads" / f"{name}.json")

    def digest(self, source: Source) -> str | None:
        """Give the hash of a file that is as it was then, or ``None``."""
        found = self._known.get("files", {}).get(_key(source))
        return found if isinstance(found, str) else None

    def note(self, source: Source, digest: str) -> None:
        """Remember a file's hash."""
        self._known.setdefault("files", {})[_key(source)] = digest
        if time.monotonic() - self._noted > 5:
            self.save()

    def upload(self, print_: str) -> str | None:
        """Give where the upload of this same bundle is, or ``None``."""
        found = self._known.get("upload", {})
        location = found.get("location") if found.get("print") == print_ else None
        return location if isinstance(location, str) else None

    def begun(self, print_: str, location: str) -> None:
        """Remember where a bundle's upload is."""
        self._known["upload"] = {"print": print_, "location": location}
        self.save()

    def save(self) -> None:
        """Write it down."""
        self._noted = time.monotonic()
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self._file.with_suffix(".new")
        new.write_bytes(orjson.dumps(self._known))
        new.replace(self._file)

    def forget(self) -> None:
        """Forget it: all is sent."""
        self._file.unlink(missing_ok=True)


def send(
    http: HttpClient,
    pieces: Sequence[Piece],
    total: int,
    most: int,
    remembered: Remembered,
    print_: str,
    there: Callable[[int], object],
) -> int:
    """Send a bundle, or what is not there of it yet; give the number of its job.

    It has ``total`` bytes, and one request ``most``; ``print_`` tells it from another, and ``there`` is told
    how many bytes have been sent.

    Raises
    ------
    PacerError
        Where nothing goes up for a while; what is there stays.
    """
    location, failures = remembered.upload(print_), 0
    while True:
        try:
            if location is None:
                location = _begin(http, total)
                remembered.begun(print_, location)
            offset, job = _offset(http, location)
            while job is None:
                there(offset)
                offset, job = _append(http, location, pieces, offset, min(most, total - offset), there)
                failures = 0
        except Missing:
            location = None
        except (Away, Conflict) as error:
            if failures == len(_DELAYS):
                raise PacerError(f"{error}; call the same again later: what is there stays") from None
            time.sleep(_DELAYS[failures])
            failures += 1
        else:
            there(total)
            remembered.forget()
            return job


def _begin(http: HttpClient, total: int) -> str:
    answer = http.request("POST", _UPLOADS, headers={**_TUS, "Upload-Length": str(total)}, expect=(201,))
    path = answer.headers.get("location", "")
    if not path.startswith(f"{_UPLOADS}/"):
        raise PacerError("the service says of no place where the upload would be: is it one of PACER's?")
    return path


def _offset(http: HttpClient, location: str) -> tuple[int, int | None]:
    answer = http.request("HEAD", location, headers=_TUS, expect=(200,))
    return _number(answer.headers, "upload-offset") or 0, _number(answer.headers, "pacer-job")


def _append(
    http: HttpClient,
    location: str,
    pieces: Sequence[Piece],
    offset: int,
    length: int,
    there: Callable[[int], object],
) -> tuple[int, int | None]:
    def blocks() -> Any:
        sent = offset
        for block in read(pieces, offset, length):
            yield block
            sent += len(block)
            there(sent)

    answer = http.request(
        "PATCH",
        location,
        headers={**_TUS, "Upload-Offset": str(offset)},
        content_type="application/offset+octet-stream",
        body=Stream(blocks, length),
        expect=(204,),
    )
    return _number(answer.headers, "upload-offset") or 0, _number(answer.headers, "pacer-job")


def _number(headers: Any, name: str) -> int | None:
    given = headers.get(name, "")
    return int(given) if given.isdecimal() else None


def _key(source: Source) -> str:
    return f"{source.member}\0{source.size}\0{source.mtime_ns}"
