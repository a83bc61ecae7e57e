"""Resumable uploads by the tus protocol, version 1.0.0: core, creation, checksum, expiration, termination.

https://tus.io/protocols/resumable-upload
"""

from __future__ import annotations

import hashlib
import os
from base64 import b64decode
from binascii import Error as NoBase64
from email.utils import format_datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pacer_pacifica.jobs import Job
from pacer_pacifica.service.api import PREFIX
from pacer_pacifica.service.receiving import announced, receive
from pacer_pacifica.service.refusals import Refused
from pacer_pacifica.service.resumable import Begun
from pacer_pacifica.service.site import Site, site_of, user_of
from pacer_pacifica.service.spool import Writer, too_large
from pacer_pacifica.sizes import size

VERSION = "1.0.0"
JOB_HEADER = "Pacer-Job"
_ALGORITHMS = ("sha1", "sha256", "md5")
_MOST_METADATA = 4096
_CHECKSUM_MISMATCH = 460


async def options(request: Request) -> Response:
    """Say what of the protocol is there; to anybody."""
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": "creation,checksum,expiration,termination",
        "Tus-Checksum-Algorithm": ",".join(_ALGORITHMS),
        "Tus-Max-Size": str(_most(site_of(request))),
    }
    return _answer(204, headers)


async def create(request: Request) -> Response:
    """Begin an upload."""
    _check_version(request)
    site, user = site_of(request), user_of(request)
    length = _number(request, "Upload-Length")
    if not length:
        raise Refused(400, "say with Upload-Length how long the bundle is")
    if length > _most(site):
        raise too_large(_most(site))
    metadata = request.headers.get("upload-metadata", "")
    if len(metadata) > _MOST_METADATA:
        raise Refused(413, f"Upload-Metadata has more than {_MOST_METADATA} bytes")
    site.spool.look(length)
    begun = await site.spool.run(lambda: site.resumable.begin(user.name, length, metadata))
    return _answer(201, {"Location": f"{PREFIX}/uploads/{begun.id}", **_expires(site, begun)})


async def head(request: Request) -> Response:
    """Say how much of an upload is there, and which job it has become."""
    _check_version(request)
    site, begun = site_of(request), await _begun(request)
    offset, job = await site.spool.run(lambda: site.resumable.offset(begun))
    headers = {"Upload-Offset": str(offset), "Upload-Length": str(begun.length), "Cache-Control": "no-store"}
    if begun.metadata:
        headers["Upload-Metadata"] = begun.metadata
    return _answer(200, headers | _job(job) | ({} if job else _expires(site, begun)))


async def patch(request: Request) -> Response:
    """Take further bytes of an upload; the last ones make a job of it."""
    _check_version(request)
    site, begun = site_of(request), await _begun(request)
    if request.headers.get("content-type", "").lower() != "application/offset+octet-stream":
        raise Refused(415, "send the bytes as application/offset+octet-stream")
    claimed, checksum = _number(request, "Upload-Offset"), _Checksum(request.headers.get("upload-checksum"))
    with site.spool.slot(), site.resumable.append(begun) as file:
        offset = os.fstat(file).st_size
        if claimed != offset:
            raise Refused(409, f"{offset:,} bytes are there: go on from these")
        try:
            await _write(site, request, file, begun.length - offset, checksum)
        except BaseException:
            if checksum.is_given:  # what has come of it cannot be checked
                os.ftruncate(file, offset)
            raise
        there = os.fstat(file).st_size
        job = None
        if there == begun.length:
            job = await site.spool.run_to_its_end(lambda: site.resumable.complete(begun, file))
        return _answer(
            204, {"Upload-Offset": str(there), **_job(job), **({} if job else _expires(site, begun))}
        )


async def delete(request: Request) -> Response:
    """Take an upload away that is not complete."""
    _check_version(request)
    site, begun = site_of(request), await _begun(request)
    await site.spool.run(lambda: site.resumable.remove(begun))
    return _answer(204, {})


async def _write(site: Site, request: Request, file: int, most: int, checksum: _Checksum) -> None:
    """Write a request's body; what has come of one that breaks off is written as well."""
    length = announced(request)
    site.spool.look(length or 0)
    writer = Writer(site.spool, file, length, most)

    async def write(chunk: bytes) -> None:
        checksum.update(chunk)
        await writer.write(chunk)

    try:
        await receive(request, site.options.limits, write)
        checksum.check()
    finally:
        await writer.finish()


class _Checksum:
    """What ``Upload-Checksum`` says of a request's body."""

    def __init__(self, given: str | None) -> None:
        self.is_given = given is not None
        name, _, expected = (given or "sha1 ").partition(" ")
        if name not in _ALGORITHMS:
            raise Refused(400, f"Upload-Checksum should be one of {', '.join(_ALGORITHMS)}")
        try:
            self._expected = b64decode(expected, validate=True)
        except NoBase64:
            raise Refused(400, "Upload-Checksum should be a name and, behind it, a hash in base64") from None
        self._hash: Any = hashlib.new(name, usedforsecurity=False)

    def update(self, chunk: bytes) -> None:
        if self.is_given:
            self._hash.update(chunk)

    def check(self) -> None:
        if self.is_given and self._hash.digest() != self._expected:
            raise Refused(
                _CHECKSUM_MISMATCH, "the bytes that have come have another checksum: send them again"
            )


async def _begun(request: Request) -> Begun:
    site, user = site_of(request), user_of(request)
    begun = await site.spool.run(lambda: site.resumable.find(request.path_params["upload"]))
    if begun.user != user.name:
        raise Refused(404, "this upload was never begun")
    return begun


def _check_version(request: Request) -> None:
    if request.headers.get("tus-resumable") != VERSION:
        raise Refused(412, f"this is tus {VERSION}: say so with Tus-Resumable")


def _number(request: Request, header: str) -> int:
    given = request.headers.get(header, "")
    if not (given.isascii() and given.isdecimal() and len(given) < 20):
        raise Refused(400, f"{header} should be a number of bytes")
    return int(given)


def _most(site: Site) -> int:
    return size(site.options.limits.size) or 0


def _expires(site: Site, begun: Begun) -> dict[str, str]:
    return {"Upload-Expires": format_datetime(site.resumable.expires(begun), usegmt=True)}


def _job(job: Job | None) -> dict[str, str]:
    return {} if job is None else {JOB_HEADER: str(job.id)}


def _answer(status: int, headers: dict[str, str]) -> Response:
    return Response(status_code=status, headers={"Tus-Resumable": VERSION, **headers})


ROUTES = [
    Route(f"{PREFIX}/uploads", options, methods=["OPTIONS"]),
    Route(f"{PREFIX}/uploads", create, methods=["POST"]),
    Route(f"{PREFIX}/uploads/{{upload}}", options, methods=["OPTIONS"]),
    Route(f"{PREFIX}/uploads/{{upload}}", head, methods=["HEAD"]),
    Route(f"{PREFIX}/uploads/{{upload}}", patch, methods=["PATCH"]),
    Route(f"{PREFIX}/uploads/{{upload}}", delete, methods=["DELETE"]),
]
