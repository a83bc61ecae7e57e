"""What people say of messages and of errors."""

from __future__ import annotations

from typing import Any, Literal

from django.db import transaction
from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from pacer_dashboard.access.asking import viewer_of
from pacer_dashboard.again import acknowledging
from pacer_dashboard.api.bodies import CountOut, In, SelectionIn, id_of, selection_of
from pacer_dashboard.api.filters import only
from pacer_dashboard.api.problems import NotPossible

router = Router(tags=["actions"])


class AcknowledgeIn(In):
    """Messages, and what to say of them."""

    selection: SelectionIn
    note: str = Field("", max_length=10_000)


class GroupsIn(In):
    """Error groups, and what is decided about them."""

    groups: list[int] = Field(min_length=1, max_length=200)
    note: str = Field("", max_length=10_000)


class StatusIn(GroupsIn):
    """Error groups and their new status."""

    status: Literal["open", "resolved", "ignored"]


class MergedOut(Schema):
    """The group that stands for the others."""

    into: int


@router.post("/messages/acknowledge", response=CountOut, summary="Acknowledge messages")
def acknowledge(request: HttpRequest, said: AcknowledgeIn) -> Any:
    """Acknowledge those of a selection on which you may act."""
    only(request, ())
    count = acknowledging.acknowledge(viewer_of(request), selection_of(said.selection), said.note)
    return {"count": count}


@router.post("/messages/unacknowledge", response=CountOut, summary="Take acknowledgements back")
def unacknowledge(request: HttpRequest, said: AcknowledgeIn) -> Any:
    """Take back acknowledgements of those of a selection on which you may act."""
    only(request, ())
    count = acknowledging.unacknowledge(viewer_of(request), selection_of(said.selection), said.note)
    return {"count": count}


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


def _groups(said: GroupsIn) -> list[int]:
    return [id_of(one) for one in said.groups]
