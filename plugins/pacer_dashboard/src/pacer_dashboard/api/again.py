"""Messages that are sent again: look, begin, see how far it is, and cancel."""

from __future__ import annotations

from typing import Any, Literal

from django.http import HttpRequest
from ninja import Router, Schema
from ninja.params import functions as parameters
from pydantic import Field

from pacer_dashboard.access.asking import viewer_of
from pacer_dashboard.again import batches, bodies, host
from pacer_dashboard.again.editing import BadEdit, edited
from pacer_dashboard.again.selection import Selection
from pacer_dashboard.api.bodies import LARGEST_ID, In, SelectionIn, id_of, selection_of
from pacer_dashboard.api.filters import only
from pacer_dashboard.api.problems import NotPossible
from pacer_dashboard.models import Batch, Item
from pacer_dashboard.query import NotVisible, Right, Viewer, life

router = Router(tags=["again"])
State = Literal["waiting", "sending", "sent", "failed", "would", "cancelled"]


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


@router.post("/again/preview", response=PreviewOut, summary="What would be sent again")
def preview(request: HttpRequest, said: PreviewIn) -> Any:
    """Look, before anything is sent."""
    only(request, ())
    found = batches.preview(viewer_of(request), selection_of(said.selection), _target(said.target))
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
    viewer, selection = viewer_of(request), selection_of(said.selection)
    try:
        batch = batches.start(
            viewer,
            selection,
            _target(said.target),
            said.reason,
            rate=said.rate,
            dry_run=said.dry_run,
            edit=None if said.edit is None else _edited(viewer, selection, said.edit),
            request=said.request or None,
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
    found = batches.all_visible(viewer_of(request)).filter(id__lt=before)
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
    state: State | None = None,
) -> Any:
    """Give items in their order, of whose number is above ``after``; of one state where it is said."""
    only(request, {"after", "size", "state"})
    found = Item.objects.filter(batch=_batch(request, batch), id__gt=after).order_by("id")
    return list((found if state is None else found.filter(state=state))[:size])


@router.post("/again/{int:batch}/cancel", response=BatchOut, summary="Cancel what is not sent yet")
def cancel(request: HttpRequest, batch: int) -> Any:
    """Cancel a batch of yours."""
    only(request, ())
    found = _batch(request, batch)
    batches.cancel(viewer_of(request), found)
    found.refresh_from_db()
    return _told(found)


def _edited(viewer: Viewer, selection: Selection, payload: str) -> str:
    """Give another payload for the one message that is selected, whose own has to be one's to see."""
    if len(selection.ids) != 1:
        raise batches.BadBatch("one message can be edited, named by its id, and not several")
    row = life.row(viewer, selection.ids[0], Right.PERSONAL)
    return edited(payload, bodies.payload(row.correlation_id) or "")


def _target(said: TargetIn) -> batches.Target:
    return batches.Target(Batch.Target(said.kind), said.exchange, said.routing_key)


def _batch(request: HttpRequest, number: int) -> Batch:
    found = Batch.objects.filter(id=id_of(number)).first()
    if found is None or not batches.visible(viewer_of(request), found):
        raise NotVisible(f"batch {number}")
    return found


def _told(batch: Batch) -> dict[str, Any]:
    told = batches.progress(batch)
    plain = {name: getattr(batch, name) for name in BatchOut.model_fields if name not in ("counts", "twice")}
    return {**plain, "counts": dict(told.counts), "twice": told.twice}
