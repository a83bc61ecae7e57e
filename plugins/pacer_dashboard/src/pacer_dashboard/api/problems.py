"""Everything that is not an answer: problem details (RFC 9457), the same for every mistake."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import DisallowedHost, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError

from pacer_core import PacerError
from pacer_dashboard.query.errors import BadFilter, NotVisible
from pacer_dashboard.store.away import is_away

log = logging.getLogger("pacer.dashboard.api")

MEDIA_TYPE = "application/problem+json"
AGAIN = "10"
"""Seconds after which who was told that the database is away may ask again."""
_TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Not possible now",
    413: "Too large",
    422: "Not valid",
    500: "Failed",
    503: "Not available",
}


class Problem(Schema):
    """What went wrong (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    parameter: str | None = None
    """The parameter that is wrong, where one is."""
    errors: list[dict[str, str]] | None = None
    """What is wrong with a body: ``field`` and ``why`` for each."""


class NotPossible(PacerError):
    """Something that could be done, but not now, or not with this."""


class NotValid(PacerError):
    """A body whose fields are wrong, each with the reason."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {why}" for name, why in fields.items()))
        self.fields = fields


def problem(status: int, detail: str, **more: Any) -> HttpResponse:
    """Give an answer that says what went wrong."""
    body = {"type": "about:blank", "title": _TITLES.get(status, "Failed"), "status": status, "detail": detail}
    answer = JsonResponse({**body, **more}, status=status, content_type=MEDIA_TYPE)
    if status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="pacer"'  # RFC 6750, 3
    return answer


def of_failure(error: BaseException | None) -> HttpResponse:
    """Give an answer for what is no mistake of who asks: 503 where the database is away, or else 500."""
    if error is None or not is_away(error):
        return problem(500, "this is a mistake of the dashboard's: its log has the reason")
    answer = problem(503, "the database does not answer: try again in a moment")
    answer.headers["Retry-After"] = AGAIN
    return answer


class NotAllowed:
    """Middleware: a method that an address of the API does not have is a problem, too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request."""
        answer = self.get_response(request)
        if answer.status_code != 405 or not request.path_info.startswith("/api/"):
            return answer
        said = problem(405, f"{request.method} is not for this address: it takes {answer['Allow']}")
        said.headers["Allow"] = answer["Allow"]
        return said


def handle(api: NinjaAPI) -> None:
    """Have an API answer every exception with a problem."""

    @api.exception_handler(BadFilter)
    def bad_filter(_: HttpRequest, error: BadFilter) -> HttpResponse:
        return problem(400, str(error), parameter=error.parameter)

    @api.exception_handler(NotVisible)
    def not_visible(_: HttpRequest, error: NotVisible) -> HttpResponse:
        return problem(404, str(error))

    @api.exception_handler(Http404)
    def not_there(_: HttpRequest, error: Http404) -> HttpResponse:
        return problem(404, "there is nothing at this address: /api/v1/openapi.json names all of them")

    @api.exception_handler(AuthenticationError)
    def nobody(request: HttpRequest, _: AuthenticationError) -> HttpResponse:
        why = getattr(request, "bad_token", None)
        return problem(401, why or "show a token (Authorization: Bearer ...), or log in")

    @api.exception_handler(ValidationError)
    def not_valid(_: HttpRequest, error: ValidationError) -> HttpResponse:
        wrong = [
            {"field": ".".join(str(part) for part in one["loc"][1:]), "why": str(one["msg"])}
            for one in error.errors
        ]
        said = "; ".join(f"{one['field'] or 'body'}: {one['why']}" for one in wrong)
        return problem(422, said, errors=wrong)

    @api.exception_handler(NotValid)
    def fields_not_valid(_: HttpRequest, error: NotValid) -> HttpResponse:
        wrong = [{"field": name, "why": why} for name, why in error.fields.items()]
        return problem(422, str(error), errors=wrong)

    @api.exception_handler(HttpError)
    def refused(_: HttpRequest, error: HttpError) -> HttpResponse:
        return problem(error.status_code, str(error))

    @api.exception_handler(NotPossible)
    def not_possible(_: HttpRequest, error: NotPossible) -> HttpResponse:
        return problem(409, str(error))

    @api.exception_handler(RequestDataTooBig)
    def too_big(_: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
        return problem(413, "the body is too large")

    @api.exception_handler(SuspiciousOperation)
    def refused_by_django(_: HttpRequest, error: SuspiciousOperation) -> HttpResponse:
        if isinstance(error, DisallowedHost):
            raise error
        return problem(400, "the request has more fields than any call needs")

    @api.exception_handler(PacerError)
    def said(_: HttpRequest, error: PacerError) -> HttpResponse:
        return problem(409, str(error))

    @api.exception_handler(Exception)
    def failed(request: HttpRequest, error: Exception) -> HttpResponse:
        log.error("%s %s failed", request.method, request.path_info, exc_info=error)
        return of_failure(error)
