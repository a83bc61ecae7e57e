"""What the stand-ins of `pacer_pacifica.testing` answer, and what they hold.

Each rule says which fact it stands for, as it was seen on pacifica-uniqueid 0.5.1, -policy 0.8.3, -metadata
0.13.0 and -archiveinterface 0.4.2.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from attrs import define, field

from pacer_http.testing import Reply, Request

Service = Literal["uniqueid", "policy", "metadata", "archive"]
_ID = re.compile(r"/(\d+)")
_SUCCESS = {"status": "success"}
_MEDIA_TYPE = re.compile(r"(application|audio|chemical|font|image|message|model|multipart|text|video)/.+")


@define
class _Misbehaviour:
    """What a service does instead of its work, for some of its requests."""

    service: str
    method: str
    status: int
    times: int
    after: int
    carried_out: bool


@define
class Facility:
    """Who may upload what: the policy's terms. ``submitters`` is empty where everybody may."""

    submitters: set[str] = field(factory=lambda: {"10"})
    projects: set[str] = field(factory=lambda: {"1234a"})
    instruments: set[str] = field(factory=lambda: {"54"})


class Rules:
    """The four services, with what they hold; one request at a time.

    Parameters
    ----------
    keep
        Whether the archive keeps content; the numbers of its files it keeps in any case.

    Attributes
    ----------
    archive
        Content by the number of its file.
    puts
        How often each file was put or moved into the archive.
    transactions, files
        The metadata's rows by their numbers.
    facility
        What the policy and the metadata know.
    """

    def __init__(self, *, keep: bool = True) -> None:
        self.archive: dict[int, bytes] = {}
        self.puts: dict[int, int] = {}
        self.transactions: dict[int, list[dict[str, Any]]] = {}
        self.files: dict[int, dict[str, Any]] = {}
        self.facility = Facility()
        self._keep = keep
        self._next: dict[str, int] = {}
        self._misbehaviours: list[_Misbehaviour] = []

    def misbehave(
        self,
        service: Service,
        *,
        status: int = 500,
        times: int = 1,
        method: str = "",
        after: int = 0,
        carried_out: bool = False,
    ) -> None:
        """Answer so many requests to a service with a status; ``after`` lets some of them pass first."""
        self._misbehaviours.append(_Misbehaviour(service, method, status, times, after, carried_out))

    def behave(self) -> None:
        """Misbehave no more."""
        self._misbehaviours.clear()

    def answer(self, request: Request) -> Reply:
        """Do what a request asks for; give the reply."""
        service, _, rest = request.path.removeprefix("/").partition("/")
        if service == "misbehave":
            self.misbehave(**request.json())
            return Reply(_SUCCESS)
        serve = {
            "uniqueid": self._unique_id,
            "policy": self._policy,
            "metadata": self._metadata,
            "archive": self._archive,
        }.get(service)
        if serve is None:
            return Reply({"message": "Not Found"}, 404)
        if service != "archive" and len(request.body) < int(request.headers.get("content-length", "0")):
            return _error("the client died while it sent this", 400)
        wrong = self._next_misbehaviour(service, request.method)
        if wrong is None:
            return serve(request, f"/{rest}")
        if wrong.carried_out:
            serve(request, f"/{rest}")
        return _error("out of order", wrong.status)

    def _next_misbehaviour(self, service: str, method: str) -> _Misbehaviour | None:
        for one in self._misbehaviours:
            if one.service != service or one.method not in ("", method):
                continue
            if one.after:
                one.after -= 1
                continue
            one.times -= 1
            if not one.times:
                self._misbehaviours.remove(one)
            return one
        return None

    def _unique_id(self, request: Request, path: str) -> Reply:
        # Fact: GET /getid?range=N&mode=M gives startIndex and endIndex; a bad range has the startIndex -1.
        if path != "/getid" or request.method != "GET":
            return Reply({"message": "Not Found"}, 404)
        count, mode = request.query.get("range", ""), request.query.get("mode", "")
        if not count.isdigit() or not int(count) or not mode:
            return Reply({"startIndex": -1, "endIndex": -3})
        first = self._next.get(mode, 1)
        self._next[mode] = first + int(count)
        return Reply({"startIndex": first, "endIndex": first + int(count) - 1})

    def _policy(self, request: Request, path: str) -> Reply:
        # Fact: POST with the array gives {"status": "success"}, or 412 with a message of what is invalid.
        if path != "/ingest" or request.method != "POST":
            return Reply({"message": "Not Found"}, 404)
        wrong = self._unknown(request.json())
        if wrong:
            return _error(f"Precondition Failed: Invalid values for {', '.join(wrong)}", 412)
        return Reply(_SUCCESS)

    def _unknown(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        known = {
            "submitter": self.facility.submitters,
            "project": self.facility.projects,
            "instrument": self.facility.instruments,
        }
        given = {row["destinationTable"]: str(row.get("value")) for row in rows}
        return [
            name
            for name, values in known.items()
            if values and given.get(f"Transactions.{name}", "") not in values
        ]

    def _metadata(self, request: Request, path: str) -> Reply:
        if path == "/":
            return Reply({"message": "Pacifica Metadata Up and Running"})
        # Fact: GET /transactions?_id=N and /files?_id=N give an array, empty where there is none.
        if request.method == "GET" and path in ("/transactions", "/files"):
            number = int(request.query["_id"])
            if path == "/files":
                return Reply([self.files[number]] if number in self.files else [])
            return Reply([{"_id": number}] if number in self.transactions else [])
        if request.method != "PUT" or path != "/ingest":
            return Reply({"message": "Not Found"}, 404)
        return self._ingest(request.json())

    def _ingest(self, rows: list[dict[str, Any]]) -> Reply:
        number = next(row["value"] for row in rows if row["destinationTable"] == "Transactions._id")
        files = [row for row in rows if row["destinationTable"] == "Files"]
        # Fact: the same transaction a second time is refused with 400, and nothing of it is stored.
        if number in self.transactions or any(row["_id"] in self.files for row in files):
            return _error("Could not insert records due to duplicated ID values", 400)
        # Fact: a project, instrument or submitter that is not there is a 500 of the database's library.
        if self._unknown(rows):
            return _error("ProjectsDoesNotExist", 500)
        # Fact: the prefix of mimetype, hashtype in hashlib and the number of hexadecimal digits are checked.
        for row in files:
            known = row["hashtype"] in hashlib.algorithms_available
            digits = 2 * hashlib.new(row["hashtype"]).digest_size if known else -1
            if _MEDIA_TYPE.fullmatch(row.get("mimetype", "")) is None:
                return _error("ValueError: Invalid metadata for file", 500)
            if len(row["hashsum"]) != digits or row["hashsum"] != row["hashsum"].lower():
                return _error("ValueError: Invalid metadata for file", 500)
            if row["subdir"].split("/")[0] == "data":
                return _error("ValueError: Invalid metadata for file", 500)
        self.transactions[number] = rows
        self.files.update({row["_id"]: {**row, "transaction": number} for row in files})
        return Reply(_SUCCESS)

    def _archive(self, request: Request, path: str) -> Reply:
        if path == "/" and request.method == "GET":
            return Reply({"message": "Pacifica Archive Interface Up and Running"})
        match = _ID.fullmatch(path)
        if match is None:
            return Reply({"message": "Not Found"}, 404)
        number = int(match[1])
        if request.method == "PUT":
            return self._put(number, request)
        if request.method == "PATCH":
            return self._patch(number, request)
        # Fact: whatever is asked of a file that is not there is answered with 500, HEAD as well.
        if number not in self.archive:
            return _error("FileNotFoundError: No such file or directory", 500)
        if request.method == "HEAD":
            # Fact: 204, with the length in X-Content-Length.
            length = str(len(self.archive[number]))
            return Reply(b"", 204, {"X-Content-Length": length, "X-Pacifica-File-Storage-Media": "disk"})
        if request.method == "DELETE":
            del self.archive[number]
            return Reply(b"")
        return Reply(self.archive[number], headers={"Content-Type": "application/octet-stream"})

    def _put(self, number: int, request: Request) -> Reply:
        # Fact: Last-Modified is wanted; what is there under the number is overwritten; total_bytes is what
        # Content-Length says.
        if "last-modified" not in request.headers:
            return _error("KeyError: Last-Modified", 500)
        self.archive[number] = request.body if self._keep else b""
        self.puts[number] = self.puts.get(number, 0) + 1
        return Reply({"message": "File added to archive", "total_bytes": len(request.body)}, 201)

    def _patch(self, number: int, request: Request) -> Reply:
        # Fact: any path that the archive's process can reach is moved; one that is not there is a 500 whose
        # traceback has FileNotFoundError.
        source = Path(request.json()["path"])
        if not source.is_file():
            return _error("FileNotFoundError: [Errno 2] No such file or directory", 500)
        self.archive[number] = source.read_bytes()
        self.puts[number] = self.puts.get(number, 0) + 1
        source.unlink()
        return Reply({"message": "File Moved Successfully"})


def _error(message: str, status: int) -> Reply:
    """Give an error in the words of all four: with the traceback, which leaks."""
    return Reply({"status": str(status), "message": message, "traceback": message, "version": "18"}, status)
