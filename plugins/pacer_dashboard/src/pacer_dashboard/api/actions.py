"""What people do: acknowledge, decide about errors, and send messages again."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from django.db import transaction
from django.http import HttpRequest, QueryDict
from ninja import Router, Schema
from ninja.params import functions as parameters
from pydantic import ConfigDict, Field, field_validator

from pacer_dashboard.again import acknowledging, batches, bodies, host
from pacer_dashboard.again.editing import BadEdit, edited
from pacer_dashboard.again.selection import MOST_IDS, Selection
from pacer_dashboard.api.filters import PARAMETERS, only
from pacer_dashboard.api.problems import NotPossible
from pacer_dashboard.api.signed_in import viewer_of
from pacer_dashboard.models import Batch, Item
from pacer_dashboard.query import Filter, NotVisible, Right, Viewer, life
from pacer_dashboard.query.errors import BadFilter

router = Router(tags=["actions"])
LARGEST_ID = 2**63 - 1
Id = Field(ge=0, le=LARGEST_ID)


class In(Schema):
    """A body: what it has that is not known is a mistake, and all text in it can be stored."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and ("\0" in text or not _encodes(text)):
                raise ValueError("holds the character 0, or half of a character")
        return value


def _encodes(text: str) -> bool:
    """Tell whether a text is whole: JSON may have half of a surrogate pair alone, and databases may not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class SelectionIn(In):
    """Which messages: named one by one, or all that a filter finds."""

    ids: list[str] | None = Field(None, max_length=MOST_IDS, description="Correlation ids.")
    filter: str | None = Field(
        None, max_length=20_000, description="As in the address of a list: `state=dead`."
    )


class AcknowledgeIn(In):
    """Messages, and what to say of them."""

    selection: SelectionIn
    note: str = Field("", max_length=10_000)


class TargetIn(In):
    """Where to: the original route, the first queue, or another route."""

    kind: Literal["original", "queue", "route"] = "original"
    exchange: str = Field(default="", max_length=255)
    routing_key: str = Field(default="", max_length=255)


class PreviewIn(In):
    """Which messages would be sent, and where to."""

    selection: SelectionIn
    target: TargetIn = TargetIn()


class AgainIn(PreviewIn):
    """Which messages to send again, where to, why and how."""

    reason: str = Field(max_length=10_000, description="It stands in the audit log.")
    rate: float = Field(batches.USUAL, gt=0, le=batches.FASTEST, description="Messages a second, at most.")
    dry_run: bool = False
    edit: str | None = Field(None, description="Another payload, for one message.")
    mixed: bool = Field(False, description="Agree that several kinds go to one route.")
    request: str | None = Field(None, max_length=64, description="Of your choice: the same starts one batch.")


class GroupsIn(In):
    """Error groups, and what is decided about them."""

    groups: list[int] = Field(min_length=1, max_length=200)
    note: str = Field("", max_length=10_000)


class StatusIn(GroupsIn):
    """Error groups and their new status."""

    status: Literal["open", "resolved", "ignored"]


class CountOut(Schema):
    """How many were changed."""

    count: int


class MergedOut(Schema):
    """The group that stands for the others."""

    into: int


class PreviewOut(Schema):
    """What would be sent."""

    count: int
    limited: bool
    types: dict[str, int]
    consumers: dict[str, int]
    states: dict[str, int]
    targets: list[dict[str, Any]]
    sent_before: int


class BatchOut(Schema):
    """A batch, and how far it is."""

    id: int
    at: Any
    actor: str
    reason: str
    query: str
    target: str
    exchange: str
    routing_key: str
    rate: float
    dry_run: bool
    edited: bool
    state: str
    trouble: str
    total: int
    counts: dict[str, int]
    twice: int


class ItemOut(Schema):
    """One message of a batch."""

    id: int
    origin: str
    sent_as: str
    exchange: str
    routing_key: str
    state: str
    reason: str
    at: Any


@router.post("/messages/acknowledge", response=CountOut, summary="Acknowledge messages")
def acknowledge(request: HttpRequest, said: AcknowledgeIn) -> Any:
    """Acknowledge those of a selection on which you may act."""
    only(request, ())
    return {"count": acknowledging.acknowledge(viewer_of(request), _selection(said.selection), said.note)}


@router.post("/messages/unacknowledge", response=CountOut, summary="Take acknowledgements back")
def unacknowledge(request: HttpRequest, said: AcknowledgeIn) -> Any:
    """Take back acknowledgements of those of a selection on which you may act."""
    only(request, ())
    return {"count": acknowledging.unacknowledge(viewer_of(request), _selection(said.selection), said.note)}


@router.post("/errors/status", response=CountOut, summary="Resolve, ignore or open errors")
def set_status(request: HttpRequest, said: StatusIn) -> Any:
    """Decide about error groups; all of them, or none where one is not yours to act on."""
    only(request, ())
    groups = _groups(said)
    return {"count": acknowledging.set_status(viewer_of(request), groups, said.status, said.note)}


@router.post("/errors/merge", response=MergedOut, summary="Merge errors")
def merge(request: HttpRequest, said: GroupsIn) -> Any:
    """Let the oldest group stand for the others, too."""
    only(request, ())
    try:
        return {"into": acknowledging.merge(viewer_of(request), _groups(said), said.note)}
    except ValueError as wrong:
        raise NotPossible(str(wrong)) from wrong


@router.post("/errors/split", response=CountOut, summary="Split errors that were merged")
def split(request: HttpRequest, said: GroupsIn) -> Any:
    """Let groups stand for themselves again."""
    only(request, ())
    viewer, groups = viewer_of(request), _groups(said)
    with transaction.atomic():
        return {"count": sum(acknowledging.split(viewer, group, said.note) for group in groups)}


@router.post("/again/preview", response=PreviewOut, summary="What would be sent again")
def preview(request: HttpRequest, said: PreviewIn) -> Any:
    """Look, before anything is sent."""
    only(request, ())
    found = batches.preview(viewer_of(request), _selection(said.selection), _target(said.target))
    targets = [
        {"exchange": exchange, "routing_key": key, "count": count}
        for (exchange, key), count in found.targets.items()
    ]
    return {
        **{name: getattr(found, name) for name in PreviewOut.model_fields if name != "targets"},
        "targets": targets,
    }


@router.post("/again", response=BatchOut, summary="Send messages again")
def start(request: HttpRequest, said: AgainIn) -> Any:
    """Begin a batch of those of a selection that you may send again; its progress is at ``/again/{id}``."""
    only(request, ())
    viewer, selection = viewer_of(request), _selection(said.selection)
    mine = said.request and hashlib.sha256(f"{viewer.name}\0{said.request}".encode()).hexdigest()
    try:
        batch = batches.start(
            viewer,
            selection,
            _target(said.target),
            said.reason,
            rate=said.rate,
            dry_run=said.dry_run,
            edit=None if said.edit is None else _edited(viewer, selection, said.edit),
            request=mine or None,
            mixed=said.mixed,
        )
    except (batches.BadBatch, BadEdit) as wrong:
        raise NotPossible(str(wrong)) from wrong
    host.wake()
    return _told(batch)


@router.get("/again", response=list[BatchOut], summary="Batches, the newest first")
def all_batches(request: HttpRequest, before: int = parameters.Query(LARGEST_ID, ge=0, le=LARGEST_ID)) -> Any:
    """Give the fifty newest batches of yours, of whose number is below ``before``."""
    only(request, {"before"})
    viewer = viewer_of(request)
    found = Batch.objects.filter(id__lt=before).order_by("-id")
    if not viewer.everything:
        found = found.filter(actor=viewer.name) if viewer.name else found.none()
    return [_told(one) for one in found[:50]]


@router.get("/again/{int:batch}", response=BatchOut, summary="How far a batch is")
def progress(request: HttpRequest, batch: int) -> Any:
    """Give a batch of yours."""
    only(request, ())
    return _told(_batch(request, batch))


@router.get(
    "/again/{int:batch}/items", response=list[ItemOut], summary="What became of each message of a batch"
)
def items(
    request: HttpRequest,
    batch: int,
    after: int = parameters.Query(0, ge=0, le=LARGEST_ID),
    size: int = parameters.Query(200, ge=1, le=1000),
) -> Any:
    """Give items in their order, of whose number is above ``after``."""
    only(request, {"after", "size"})
    found = _batch(request, batch)
    return list(Item.objects.filter(batch=found, id__gt=after).order_by("id")[:size])


@router.post("/again/{int:batch}/cancel", response=BatchOut, summary="Cancel what is not sent yet")
def cancel(request: HttpRequest, batch: int) -> Any:
    """Cancel a batch of yours."""
    only(request, ())
    found = _batch(request, batch)
    batches.cancel(viewer_of(request), found)
    found.refresh_from_db()
    return _told(found)


def _selection(said: SelectionIn) -> Selection:
    """Read a selection.

    Raises
    ------
    BadFilter
        Where it names no messages, or both in both ways.
    """
    if said.filter is not None and said.ids is None:
        query = QueryDict(said.filter)
        for name in query:
            if name not in PARAMETERS:
                raise BadFilter(name[:50], "is not a parameter of a filter")
        return Selection(filter=Filter.from_query(query))
    ids = tuple(dict.fromkeys(one for one in said.ids or () if one))
    if said.filter is not None or not ids or any("\0" in one for one in ids):
        raise BadFilter("selection", "should have ids, or a filter (an empty one finds everything)")
    return Selection(ids)


def _edited(viewer: Viewer, selection: Selection, payload: str) -> str:
    """Give another payload for the one message that is selected, whose own has to be one's to see."""
    if len(selection.ids) != 1:
        raise batches.BadBatch("one message can be edited, named by its id, and not several")
    row = life.row(viewer, selection.ids[0], Right.PERSONAL)
    return edited(payload, bodies.payload(row.correlation_id) or "")


def _target(said: TargetIn) -> batches.Target:
    return batches.Target(Batch.Target(said.kind), said.exchange, said.routing_key)


def _groups(said: GroupsIn) -> list[int]:
    """Give ids that a database has: no group has another one."""
    return [one if 0 <= one <= LARGEST_ID else 0 for one in said.groups]


def _batch(request: HttpRequest, number: int) -> Batch:
    found = Batch.objects.filter(id=number).first() if 0 < number <= LARGEST_ID else None
    if found is None or not batches.visible(viewer_of(request), found):
        raise NotVisible(f"batch {number}")
    return found


def _told(batch: Batch) -> dict[str, Any]:
    told = batches.progress(batch)
    plain = {name: getattr(batch, name) for name in BatchOut.model_fields if name not in ("counts", "twice")}
    return {**plain, "counts": dict(told.counts), "twice": told.twice}
