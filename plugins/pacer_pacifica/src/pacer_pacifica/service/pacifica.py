"""Pacifica's protocol, field by field: ``/upload`` and ``/ingest``, ``/move``, ``/get_state``, ``/``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pacer_pacifica.jobs import MOVE, UPLOAD, Job, NoSuchJob
from pacer_pacifica.service.receiving import Refusal, announced
from pacer_pacifica.service.refusals import Refused
from pacer_pacifica.service.site import LARGEST_ID, site_of, user_of
from pacer_pacifica.service.spool import BUNDLE, MOVES
from pacer_pacifica.service.version import VERSION
from pacer_pacifica.sizes import size


async def status(_: Request) -> Response:
    """Say that the service is there."""
    return JSONResponse({"message": "Pacifica Ingest Up and Running"})


async def upload(request: Request) -> Response:
    """Take a bundle, and answer with its job."""
    site, user = site_of(request), user_of(request)
    with site.spool.slot():
        async with site.spool.upload(BUNDLE, announced(request)) as body:
            return JSONResponse(as_pacifica(await site.take(request, body, UPLOAD, user.name)))


async def move(request: Request) -> Response:
    """Take a list of files that are to be moved, and answer with its job."""
    site, user = site_of(request), user_of(request)
    if site.options.moves is None:
        raise Refused(404, "files are not moved here: upload a bundle")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "send the list of files as application/json")
    with site.spool.slot():
        most = size(site.options.limits.move_size)
        async with site.spool.upload(MOVES, announced(request), most) as body:
            return JSONResponse(as_pacifica(await site.take(request, body, MOVE, user.name, _check)))


async def get_state(request: Request) -> Response:
    """Give a job's state; that of a job which is somebody else's looks as if there were none."""
    site, user = site_of(request), user_of(request)
    given = request.query_params.get("job_id", "")
    try:
        job_id = int(given) if given.isascii() else None
    except ValueError:
        job_id = None
    if job_id is None or abs(job_id) > LARGEST_ID:
        raise Refused(400, "job_id should be the number of a job")
    if job_id <= 0:
        return JSONResponse(_no_state())
    try:
        job = await run_in_threadpool(site.jobs.get, job_id)
    except NoSuchJob as error:
        raise Refused(404, str(error)) from None
    if not user.may_see(job.user):
        raise Refused(404, str(NoSuchJob(job_id)))
    return JSONResponse(as_pacifica(job))


def as_pacifica(job: Job) -> dict[str, Any]:
    """Give a job as Pacifica's clients know it; times are UTC, without saying so."""
    return {
        "job_id": job.id,
        "state": job.state,
        "task": job.task,
        "task_percent": f"{job.percent:.5f}",
        "complete": job.complete,
        "updated": _time(job.updated),
        "created": _time(job.created),
        "exception": job.exception,
    }


def error(refused: Refused) -> Response:
    """Give an error as Pacifica's clients know it, without a trace."""
    content = {
        "status": f"{refused.status} {refused.title}",
        "message": refused.message,
        "traceback": "",
        "version": VERSION,
    }
    return Refusal(orjson.dumps(content), refused.status, refused.headers, "application/json")


def _check(text: bytes) -> None:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Refused(400, "Invalid JSON document") from None


def _no_state() -> dict[str, Any]:
    """Give what Pacifica answers for a number that is none of a job."""
    now = _time(datetime.now(UTC))
    return {
        "job_id": None,
        "state": "DATA_ACCESS_ERROR",
        "task": "read_state",
        "task_percent": "0.00000",
        "complete": False,
        "updated": now,
        "created": now,
        "exception": "",
    }


def _time(time: datetime) -> str:
    return str(time.astimezone(UTC).replace(tzinfo=None))


ROUTES = [
    Route("/", status, methods=["GET"]),
    Route("/upload", upload, methods=["POST"]),
    Route("/ingest", upload, methods=["POST"]),
    Route("/move", move, methods=["POST"]),
    Route("/get_state", get_state, methods=["GET"]),
]
