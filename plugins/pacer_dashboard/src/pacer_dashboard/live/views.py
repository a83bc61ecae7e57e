"""The live stream of a list: rows as the list draws them, as they arrive and change."""

from __future__ import annotations

from collections.abc import Hashable
from html import escape
from typing import Any

from asgiref.sync import sync_to_async
from attrs import evolve, frozen
from django.core.handlers.asgi import ASGIRequest
from django.db import connections
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseForbidden,
    StreamingHttpResponse,
)

from pacer_dashboard.access.asking import viewer_of
from pacer_dashboard.access.standing import standing_of, viewers_now
from pacer_dashboard.live.hub import Batch, Hub, Source
from pacer_dashboard.pages.actions import BULK, offered
from pacer_dashboard.pages.present import Column, chosen_columns, draw_rows
from pacer_dashboard.query import changes
from pacer_dashboard.query.errors import BadFilter
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.viewer import Right, Viewer


def _done() -> None:
    """End a turn of the hub's thread as a request ends: a connection that broke is not kept."""
    for connection in connections.all(initialized_only=True):
        connection.close_if_unusable_or_obsolete()


_hub = Hub(changes.newest, viewers_now, _done)
"""The streams of this process."""


@frozen
class _Asked:
    """What a stream asks for, and by what it was let in."""

    viewer: Viewer
    filter: Filter
    columns: tuple[Column, ...]
    may_act: bool
    standing: Hashable
    position: int | None

    @property
    def key(self) -> Hashable:
        """What all have in common who are sent the same bytes."""
        return self.viewer.key(), self.filter, tuple(one.name for one in self.columns), self.may_act

    @property
    def source(self) -> Source:
        """How to ask for what it has not been told yet."""
        viewer, filter_, columns, may_act = self.viewer, self.filter, self.columns, self.may_act

        def ask(revision: int, most: int) -> tuple[Batch, bool]:
            found = changes.since(viewer, filter_, revision, most)
            drawn = draw_rows(found.rows, columns, may_act=may_act) if found.rows else ""
            gone = "".join(f'<tr data-gone="m-{escape(one)}"></tr>\n' for one in found.gone)
            return Batch(revision, found.revision, event(found.revision, drawn + gone)), found.more

        return ask


async def live(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Send rows of the address's filter as they change, from ``Last-Event-ID`` or ``revision`` on."""
    if not isinstance(request, ASGIRequest):
        return HttpResponse(
            "The live stream needs an ASGI server: `pacer dashboard serve` is one.",
            status=501,
            content_type="text/plain",
        )
    try:
        asked = await sync_to_async(_asked)(request)
    except BadFilter as error:
        return HttpResponseBadRequest(str(error), content_type="text/plain; charset=utf-8")
    if not asked.viewer.has(Right.VIEW):  # a stream costs something, and nothing would ever come
        return HttpResponseForbidden("You see no messages.", content_type="text/plain; charset=utf-8")
    packed = "gzip" in request.headers.get("Accept-Encoding", "")
    stream = _hub.listen(
        asked.key, asked.source, asked.position, asked.standing, asked.viewer.key(), packed=packed
    )
    answer = StreamingHttpResponse(stream, content_type="text/event-stream; charset=utf-8")
    answer["Cache-Control"] = "no-store, private"
    answer["Vary"] = "Accept-Encoding"
    if packed:
        answer["Content-Encoding"] = "gzip"
    answer["X-Accel-Buffering"] = "no"  # nginx would keep it back
    return answer


def event(revision: int, text: str) -> bytes:
    """Write an event with rows; nothing where there are none."""
    if not text:
        return b""
    lines = "".join(f"data: {line}\n" for line in text.replace("\r", "").split("\n") if line)
    return f"id: {revision}\nevent: rows\n{lines}\n".encode()


def _asked(request: HttpRequest) -> _Asked:
    try:
        viewer = evolve(viewer_of(request))  # a copy: what the request has looks itself up in the database
        return _Asked(
            viewer=viewer,
            filter=Filter.from_query(request.GET),
            columns=chosen_columns(request.GET.getlist("column")),
            may_act=bool(offered(BULK, viewer)),
            standing=standing_of(request),
            position=_position(request),
        )
    finally:
        # The answer lasts for hours, and with it this thread; its connection would be one of a few hundred.
        connections.close_all()


def _position(request: HttpRequest) -> int | None:
    said: Any = request.headers.get("Last-Event-ID") or request.GET.get("revision") or ""
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 19 else None
