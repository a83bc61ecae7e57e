"""The ASGI application: the routes, and errors in the form of the API that was asked."""

from __future__ import annotations

from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from pacer_core import NotYet, Reject, Retry
from pacer_pacifica.jobs import DatabaseError
from pacer_pacifica.service import api, pacifica, tus
from pacer_pacifica.service.events import streams
from pacer_pacifica.service.refusals import Refused
from pacer_pacifica.service.site import Site, site_of


def application(site: Site) -> Starlette:
    """Make the application of a site."""
    app = Starlette(
        routes=[*pacifica.ROUTES, *api.ROUTES, *tus.ROUTES],
        exception_handlers={
            Refused: _refuse,
            HTTPException: _refuse_path,
            ClientDisconnect: _gone,
            DatabaseError: _away,
            **dict.fromkeys((Retry, NotYet, Reject), _away),  # of the uniqueid service
            Exception: _unexpected,
        },
    )
    app.state.site, app.state.streams = site, streams()
    return app


def _answer(request: Request, refused: Refused) -> Response:
    error = api.error if request.url.path.startswith(api.PREFIX) else pacifica.error
    return error(refused)


async def _refuse(request: Request, error: Exception) -> Response:
    refused = error if isinstance(error, Refused) else Refused(500, "")
    site_of(request).ctx.count("refused")
    return _answer(request, refused)


async def _refuse_path(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    words = {404: "nothing is here", 405: f"{request.method} is not for this"}
    response = _answer(request, Refused(status, words.get(status, HTTPStatus(status).phrase)))
    if isinstance(error, HTTPException):
        response.headers.update(error.headers or {})
    return response


async def _gone(request: Request, _: Exception) -> Response:
    """Note that a sender broke off; nobody reads the answer."""
    site_of(request).ctx.count("broken")
    return Response(status_code=400)


async def _away(request: Request, error: Exception) -> Response:
    site_of(request).ctx.log.error("%s", error)
    away = Refused(503, "no job can be read or made just now: try again", retry_after=10)
    return _answer(request, away)


async def _unexpected(request: Request, error: Exception) -> Response:
    site_of(request).ctx.log.error("%s %s fails", request.method, request.url.path, exc_info=error)
    return _answer(request, Refused(500, "something went wrong here: the log of the service has it"))
