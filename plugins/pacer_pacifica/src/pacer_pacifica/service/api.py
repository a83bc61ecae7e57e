"""PACER's own API, under ``/api/v1``: jobs listed, one with its stages, cancelled, tried again."""

from __future__ import annotations

from typing import Any

import orjson
from attrs import asdict
from starlette.concurrency import run_in_threadpool
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pacer_pacifica.jobs import MOVE, STATUSES, UPLOAD, Job, NoSuchJob, Over, Stage
from pacer_pacifica.service.events import events
from pacer_pacifica.service.openapi import description
from pacer_pacifica.service.receiving import Refusal
from pacer_pacifica.service.refusals import Refused
from pacer_pacifica.service.seeing import job_of, public
from pacer_pacifica.service.site import LARGEST_ID, site_of, user_of

PREFIX = "/api/v1"
_MOST = 1000


async def jobs(request: Request) -> Response:
    """List jobs, the newest first: one's own, or everybody's for an administrator."""
    site, user, query = site_of(request), user_of(request), request.query_params
    status, owner = query.get("status"), query.get("user")
    if status is not None and status not in STATUSES:
        raise Refused(400, f"status should be one of {', '.join(STATUSES)}")
    if not user.is_administrator:
        if owner not in (None, user.name):
            raise Refused(403, "others' jobs are for administrators")
        owner = user.name
    limit = _number(query.get("limit"), "limit", 100, _MOST)
    before = _number(query.get("before"), "before", None, LARGEST_ID)
    kind = query.get("kind")
    if kind not in (None, UPLOAD, MOVE):
        raise Refused(400, f"kind should be {UPLOAD} or {MOVE}")
    found = await run_in_threadpool(
        lambda: site.jobs.find(status=status, kind=kind, user=owner, before=before, limit=limit or 1)
    )
    following = found[-1].id if len(found) == limit else None
    return _json({"jobs": [public(job) for job in found], "before": following})


async def job(request: Request) -> Response:
    """Give a job, with the stages of all its attempts."""
    site, found = site_of(request), await job_of(request)
    stages = await run_in_threadpool(site.jobs.stages, found.id)
    return _json({**public(found), "stages": [_stage(one) for one in stages]})


async def cancel(request: Request) -> Response:
    """End a job that has not ended."""
    site, user, found = site_of(request), user_of(request), await job_of(request)
    return await _act(lambda: site.jobs.cancel(found.id, user.name))


async def retry(request: Request) -> Response:
    """Begin another attempt at a job that has failed or was cancelled."""
    site, found = site_of(request), await job_of(request)
    if not (site.spool.folder / found.name).exists():
        raise Refused(409, "what it brought is not in the spool any more: upload it again")
    response = await _act(lambda: site.jobs.retry(found.id))
    site.wake()
    return response


async def openapi(_: Request) -> Response:
    """Describe this API, as OpenAPI 3.1 has it."""
    return _json(description())


class _JobNumber(IntegerConvertor):
    """A number of a path as long as a job's may be."""

    regex = "[0-9]{1,19}"


def error(refused: Refused) -> Response:
    """Give an error as RFC 9457 has it."""
    problem = {
        "title": refused.title,
        "status": refused.status,
        "detail": refused.message,
    }
    return Refusal(orjson.dumps(problem), refused.status, refused.headers, "application/problem+json")


async def _act(act: Any) -> Response:
    try:
        done: Job = await run_in_threadpool(act)
    except Over as error:
        raise Refused(409, str(error)) from None
    except NoSuchJob as error:
        raise Refused(404, str(error)) from None
    return _json(public(done))


def _stage(stage: Stage) -> dict[str, Any]:
    return asdict(stage, filter=lambda field, _: field.name != "job_id")


def _number(given: str | None, name: str, default: int | None, most: int) -> int | None:
    if given is None:
        return default
    if not (given.isascii() and given.isdecimal() and len(given) < 20 and 0 < int(given) <= most):
        raise Refused(400, f"{name} should be a number from 1 to {most:,}")
    return int(given)


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")


register_url_convertor("job", _JobNumber())
ROUTES = [
    Route(f"{PREFIX}/jobs", jobs, methods=["GET"]),
    Route(f"{PREFIX}/jobs/{{job_id:job}}", job, methods=["GET"]),
    Route(f"{PREFIX}/jobs/{{job_id:job}}/events", events, methods=["GET"]),
    Route(f"{PREFIX}/jobs/{{job_id:job}}/cancel", cancel, methods=["POST"]),
    Route(f"{PREFIX}/jobs/{{job_id:job}}/retry", retry, methods=["POST"]),
    Route(f"{PREFIX}/openapi.json", openapi, methods=["GET"]),
]
