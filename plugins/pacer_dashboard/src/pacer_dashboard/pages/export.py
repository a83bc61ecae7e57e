"""Files of all that a filter finds: CSV and JSONL, written while they are read."""

from __future__ import annotations

import csv
import json
from collections.abc import AsyncIterator, Hashable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, StreamingHttpResponse
from django.views.decorators.http import require_safe

from pacer_core import PacerError
from pacer_dashboard.access.asking import viewer_of
from pacer_dashboard.access.standing import Standing, standing_of, viewers_now
from pacer_dashboard.query import export
from pacer_dashboard.query.errors import BadFilter
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.rows import Row

FIELDS = (
    "correlation_id", "arrived", "finished", "state", "type", "consumer", "queue", "exchange", "routing_key",
    "attempts", "sights", "instrument", "proposal", "dataset", "identifiers", "kind", "task", "reason",
    "failed_at", "group", "origin", "acknowledged_at", "acknowledged_by", "acknowledged_note",
)  # fmt: skip
"""The columns, in their order; those that come later are added at the end."""
_TOGETHER = 200
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class WithdrawnError(PacerError):
    """Who asked for a file has not any more the rights with which it was begun."""


class _Line:
    def write(self, text: str) -> str:
        return text


@require_safe
def export_list(request: HttpRequest, form: str) -> HttpResponse | StreamingHttpResponse:
    """Give a file of all that the address's filter finds."""
    try:
        filter_ = Filter.from_query(request.GET)
    except BadFilter as error:
        return HttpResponseBadRequest(str(error), content_type="text/plain; charset=utf-8")
    rows = export.rows(viewer_of(request), filter_)
    lines = _csv(rows) if form == "csv" else _jsonl(rows)
    kind = "text/csv; charset=utf-8" if form == "csv" else "application/jsonl; charset=utf-8"
    pieces = _while_seen(_together(lines), standing_of(request), viewer_of(request).key())
    streamed = _one_by_one(pieces) if isinstance(request, ASGIRequest) else pieces
    answer = StreamingHttpResponse(streamed, content_type=kind)
    answer["Content-Disposition"] = (
        f'attachment; filename="messages-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{form}"'
    )
    return answer


def _csv(rows: Iterable[Row]) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield writer.writerow(FIELDS)
    for row in rows:
        yield writer.writerow([cell(getattr(row, name)) for name in FIELDS])


def _jsonl(rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        record = {name: _plain(getattr(row, name)) for name in FIELDS}
        record["stages"] = [dict(stage) for stage in row.stages]
        yield json.dumps(record, ensure_ascii=False, default=str) + "\n"


async def _one_by_one(pieces: Iterator[str]) -> AsyncIterator[str]:
    """Give pieces as they are asked for: an ASGI server would make a list of all of them first."""
    ask = sync_to_async(lambda: next(pieces, None))
    while (piece := await ask()) is not None:
        yield piece


def _while_seen(pieces: Iterator[str], standing: Standing, sees: Hashable) -> Iterator[str]:
    """Give pieces as long as who asked still sees the same: files take long, roles change at once."""
    for piece in pieces:
        now = viewers_now([standing]).get(standing)
        if now is None or now.key() != sees:
            # It breaks off, so that nobody takes a part for the whole.
            raise WithdrawnError("an export is broken off: who asked for it has other rights by now")
        yield piece


def _together(lines: Iterable[str]) -> Iterator[str]:
    """Give some lines at once: each piece of an answer costs a turn of the server."""
    some: list[str] = []
    for line in lines:
        some.append(line)
        if len(some) == _TOGETHER:
            yield "".join(some)
            some = []
    yield "".join(some)


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def cell(value: Any) -> str:
    """Write a cell; one that a spreadsheet would run as a formula has a quote before it."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    text = str(_plain(value))
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
