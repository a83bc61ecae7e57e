"""What Pacifica does for a bundle, at its leanest: its requests, by hand, and nothing else.

No job has a state here, no header is checked, nothing is synced: what is left is a floor under Pacifica's own
way, which `benchmarks.pacifica_own` runs as it is.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import tarfile
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit


def per_file(url: str, bundles: Sequence[bytes]) -> float:
    """Take all bundles the way of four requests for each file, one after another; give the seconds."""
    began = time.perf_counter()
    for data in bundles:
        rows, contents = _taken(data)
        terms = [row for row in rows if row["destinationTable"] != "Files"]
        for row in _files(rows):
            number = request(url, "GET", "/uniqueid/getid?range=1&mode=file")["startIndex"]
            transaction = {"destinationTable": "Transactions._id", "value": number}
            request(url, "POST", "/policy/ingest", json.dumps(rows).encode())
            _put(url, number, contents[f"data/{row['name']}"], row)
            said = [*terms, {**row, "_id": number, "subdir": ""}, transaction]
            request(url, "PUT", "/metadata/ingest", json.dumps(said).encode())
    return time.perf_counter() - began


def per_bundle(url: str, bundles: Sequence[bytes]) -> float:
    """Take all bundles with everything but their files in one request each; give the seconds."""
    began = time.perf_counter()
    for data in bundles:
        rows, contents = _taken(data)
        job = request(url, "GET", "/uniqueid/getid?range=1&mode=upload_job")["startIndex"]
        first = request(url, "GET", f"/uniqueid/getid?range={len(contents)}&mode=file")["startIndex"]
        request(url, "POST", "/policy/ingest", json.dumps(rows).encode())
        for number, row in enumerate(_files(rows), first):
            _put(url, number, contents[f"data/{row['name']}"], row)
            row |= {"_id": number, "subdir": ""}
        rows.append({"destinationTable": "Transactions._id", "value": job})
        request(url, "PUT", "/metadata/ingest", json.dumps(rows).encode())
    return time.perf_counter() - began


def request(url: str, method: str, path: str, body: bytes = b"", **headers: str) -> Any:
    """Send a request on a connection of its own, as Pacifica does; give what is answered."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status in (200, 201), (path, answer.status, said)
        return json.loads(said)
    finally:
        connection.close()


def _taken(data: bytes) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Open a bundle; give its rows and its files."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        contents = {}
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            contents[member.name] = file.read()
    return json.loads(contents.pop("metadata.txt")), contents


def _files(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["destinationTable"] == "Files"]


def _put(url: str, number: int, content: bytes, row: dict[str, Any]) -> None:
    """Hash a file, and put it into the archive."""
    assert hashlib.sha1(content).hexdigest() == row["hashsum"]
    modified = "Tue Jul 15 10:00:00 2025"
    request(url, "PUT", f"/archive/{number}", content, **{"Last-Modified": modified})
