"""A job's changes as they happen: server-sent events, each with the job as it then is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from pacer_pacifica.jobs import DatabaseError, Job, NoSuchJob
from pacer_pacifica.service.refusals import Refused
from pacer_pacifica.service.seeing import job_of, public
from pacer_pacifica.service.site import Site, site_of

_LOOK = 0.5  # seconds between two looks at the job: other processes, on other hosts, move it
_ALIVE = 15.0  # seconds without an event after which a comment keeps proxies from closing the connection
_MOST = 200  # streams at once, in each process


async def events(request: Request) -> Response:
    """Give the job now, and after every change, until it has ended.

    A client that comes back with ``Last-Event-ID`` is told only what it has not seen.
    """
    site, job = site_of(request), await job_of(request)
    given = request.headers.get("last-event-id", "")
    seen = int(given) if given.isascii() and given.isdecimal() and len(given) < 20 else 0
    streams = request.app.state.streams
    if streams.locked():
        raise Refused(
            429, "too many clients wait for events: ask for the job itself now and then", retry_after=30
        )
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    stream = _stream(site, job, seen, streams)
    return StreamingResponse(stream, headers=headers, media_type="text/event-stream")


def streams() -> asyncio.Semaphore:
    """Give what counts the streams of a process."""
    return asyncio.Semaphore(_MOST)


async def _stream(site: Site, job: Job, seen: int, streams: asyncio.Semaphore) -> AsyncIterator[bytes]:
    async with streams:
        told = time.monotonic()
        while not site.stopping():
            if job.revision > seen:
                seen, told = job.revision, time.monotonic()
                yield b"id: %d\nevent: job\ndata: %s\n\n" % (seen, orjson.dumps(public(job)))
            if job.complete:
                return
            if time.monotonic() - told > _ALIVE:
                told = time.monotonic()
                yield b": still here\n\n"
            await asyncio.sleep(_LOOK)
            try:
                job = await run_in_threadpool(site.jobs.get, job.id)
            except NoSuchJob:
                return
            except DatabaseError as error:
                site.ctx.log.warning("%s", error)
