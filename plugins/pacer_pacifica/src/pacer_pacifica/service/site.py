"""What every request finds: the jobs, the spool, the door, and who is told of a new job."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen
from starlette.requests import HTTPConnection, Request

from pacer_core import ServiceContext
from pacer_pacifica.jobs import Job, Jobs
from pacer_pacifica.service.making import Making
from pacer_pacifica.service.options import ServiceOptions
from pacer_pacifica.service.receiving import receive
from pacer_pacifica.service.refusals import Refused
from pacer_pacifica.service.resumable import Resumable
from pacer_pacifica.service.spool import Spool, Upload
from pacer_pacifica.service.users import Door, User

LARGEST_ID = 2**63 - 1


@frozen
class Site:
    """What the handlers of requests share."""

    ctx: ServiceContext
    jobs: Jobs
    making: Making
    spool: Spool
    resumable: Resumable
    door: Door
    wake: Callable[[], None]
    """Has the outbox looked at."""
    stopping: Callable[[], bool]
    """Says whether the service is ending."""

    @property
    def options(self) -> ServiceOptions:
        """The service's options."""
        options: ServiceOptions = self.ctx.options
        return options

    async def take(
        self,
        request: Request,
        upload: Upload,
        kind: str,
        user: str,
        check: Callable[[bytes], object] | None = None,
    ) -> Job:
        """Read a request's body into an upload, ``check`` it, and make a job of it."""
        await receive(request, self.options.limits, upload.write)
        if not upload.size:
            raise Refused(400, "the body is empty")
        if check is not None:
            await upload.check(check)
        return await upload.become(lambda name, size: self.making.job(kind, user, name, size))


def site_of(request: HTTPConnection) -> Site:
    """Give the site of a request's application."""
    site: Site = request.app.state.site
    return site


def user_of(request: HTTPConnection) -> User:
    """Give who asks; `Refused` with 401 where that is nobody known."""
    return site_of(request).door.user(request)
