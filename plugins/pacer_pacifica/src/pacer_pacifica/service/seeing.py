"""A job that a request names, if whoever asks may see it; and how jobs look in PACER's own API."""

from __future__ import annotations

from typing import Any

from attrs import asdict
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from pacer_pacifica.jobs import Job, NoSuchJob
from pacer_pacifica.service.refusals import Refused
from pacer_pacifica.service.site import LARGEST_ID, site_of, user_of

_INNER = {"name", "sweeps", "published"}


async def job_of(request: Request) -> Job:
    """Give the job that a request's path names.

    Raises
    ------
    Refused
        404 where there is none, or it is somebody else's.
    """
    user, job_id = user_of(request), request.path_params["job_id"]
    missing = Refused(404, f"there is no job {job_id}")
    if not 0 < job_id <= LARGEST_ID:
        raise missing
    try:
        job = await run_in_threadpool(site_of(request).jobs.get, job_id)
    except NoSuchJob:
        raise missing from None
    if not user.may_see(job.user):
        raise missing
    return job


def public(job: Job) -> dict[str, Any]:
    """Give what of a job is anybody's business: all but where it lies, and how it is published."""
    return {"status": job.status, **asdict(job, filter=lambda field, _: field.name not in _INNER)}
