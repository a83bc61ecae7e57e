"""The API as one object, and its description."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from django.http import Http404, HttpRequest
from ninja import NinjaAPI

from pacer_dashboard.api import (
    again,
    alerts,
    errors,
    letters,
    messages,
    numbers,
    operations,
    said,
    saved,
    tokens,
)
from pacer_dashboard.api.problems import MEDIA_TYPE, Problem, handle
from pacer_dashboard.api.signed_in import BySession, ByToken

DESCRIPTION = """\
What the pages of PACER's dashboard can do. A call shows a token (`Authorization: Bearer pacer_...`), or comes
from a page with its session. Whoever calls sees and does what their role gives, and is not told of anything
else: what is not theirs is not there. Errors are problem details (RFC 9457).

Roles and accounts are on the pages and in `pacer dashboard user` alone: who could give roles by a token would
have more than the token's role. What a call may do is in the answer of `GET /api/v1/me`."""


_ROOMS = (messages, saved, errors, numbers, said, again, letters, operations, alerts, tokens)


@cache
def api() -> NinjaAPI:
    """Give the API."""
    made = NinjaAPI(
        title="PACER dashboard",
        version="1",
        description=DESCRIPTION,
        urls_namespace="api-1",
        auth=[ByToken(), BySession()],
        docs_url=None,
    )
    for module in _ROOMS:
        made.add_router("", module.router)
    handle(made)
    return made


@cache
def schema() -> dict[str, Any]:
    """Give the OpenAPI description, with the problem that every call may answer with.

    It is made once, which takes a moment: everybody may ask for it, without a login.
    """
    found: dict[str, Any] = json.loads(
        json.dumps(api().get_openapi_schema(path_prefix="/api/v1/"), default=str)
    )
    found["components"]["schemas"]["Problem"] = Problem.model_json_schema()
    answer = {
        "description": "What went wrong",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for methods in found["paths"].values():
        for operation in methods.values():
            operation["responses"]["default"] = answer
    return found


def nothing_here(request: HttpRequest, **_: Any) -> Any:
    """Answer what is below the API and no part of it."""
    return api().on_exception(request, Http404())
