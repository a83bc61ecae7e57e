"""What was done, found and told: the audit log, checks of investigations, alerts."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from ninja.params import functions as parameters

from pacer_dashboard.access.asking import viewer_of
from pacer_dashboard.again import who
from pacer_dashboard.api.bodies import LARGEST_ID, id_of
from pacer_dashboard.api.filters import only, plain
from pacer_dashboard.checks.views import may_see
from pacer_dashboard.models import Audit, CheckRun, InvestigationCheck
from pacer_dashboard.query import NotVisible, Right
from pacer_dashboard.system import watching

router = Router(tags=["operations"])
BEFORE = parameters.Query(LARGEST_ID, ge=0, le=LARGEST_ID, description="Give those whose number is below.")
SIZE = parameters.Query(100, ge=1, le=1000)


class AuditOut(Schema):
    """One thing that somebody did."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    note: str
    count: int
    detail: dict[str, Any]


class CheckOut(Schema):
    """An investigation that has ended, and what was found of it."""

    id: int
    investigation: str
    visit_id: str
    ended: datetime
    doi: str
    panosc: str
    first_check: datetime
    last_check: datetime
    checks: int
    sent: int
    note: str
    settled: bool


class LookOut(Schema):
    """A look at an investigation that found something else than the one before, or sent something."""

    at: datetime
    doi: str
    panosc: str
    operations: list[Any]
    sent_as: str
    note: str


class CheckWholeOut(CheckOut):
    """An investigation with its history, the latest look first."""

    looks: list[LookOut]


class RunOut(Schema):
    """A run of the checks: how much it looked at, and what kept it from doing more."""

    id: int
    at: datetime
    finished_at: datetime | None
    looked: int
    lacking: int
    unknown: int
    sent: int
    failed: int
    trouble: str


class PacerOut(Schema):
    """A PACER that is watched: what it said, or why it does not answer."""

    url: str
    answers: bool
    since: datetime | None
    why: str
    answered_at: datetime | None
    said: dict[str, Any]


@router.get("/audit", response=list[AuditOut], summary="What people have done, the latest first")
def audit(
    request: HttpRequest,
    before: int = BEFORE,
    size: int = SIZE,
    actor: str | None = None,
    action: str | None = None,
) -> Any:
    """Give what you have done; who sees everything is given what everybody has done."""
    only(request, {"before", "size", "actor", "action"})
    viewer = viewer_of(request)
    found = Audit.objects.filter(id__lt=before).order_by("-id")
    if not viewer.everything:
        if not (viewer.has(Right.ACT) or viewer.has(Right.REINGEST)):
            raise NotVisible("audit log")
        found = found.filter(who.own(viewer))
    asked = {name: plain(name, value) for name, value in (("actor", actor), ("action", action)) if value}
    return list(found.filter(**asked)[:size])


@router.get("/checks", response=list[CheckOut], summary="Investigations that are looked after")
def checks(request: HttpRequest, before: int = BEFORE, size: int = SIZE, settled: bool | None = None) -> Any:
    """Give investigations with what they lack, of which you see messages about their operations."""
    only(request, {"before", "size", "settled"})
    viewer = viewer_of(request)
    found = InvestigationCheck.objects.filter(id__lt=before).order_by("-id")
    found = found if settled is None else found.filter(settled=settled)
    return list(islice((one for one in found.iterator() if may_see(viewer, one)), size))


@router.get("/checks/runs", response=list[RunOut], summary="Runs of the checks, the latest first")
def runs(request: HttpRequest, before: int = BEFORE, size: int = SIZE) -> Any:
    """Give runs, for who sees any message."""
    only(request, {"before", "size"})
    if not viewer_of(request).has(Right.VIEW):
        raise NotVisible("checks")
    return list(CheckRun.objects.filter(id__lt=before).order_by("-id")[:size])


@router.get("/checks/{int:check}", response=CheckWholeOut, summary="The history of an investigation's checks")
def check(request: HttpRequest, check: int) -> Any:
    """Give an investigation with what was found of it over time."""
    only(request, ())
    found = InvestigationCheck.objects.filter(id=id_of(check)).first()
    if found is None or not may_see(viewer_of(request), found):
        raise NotVisible(f"check {check}")
    plain = {name: getattr(found, name) for name in CheckOut.model_fields}
    return {**plain, "looks": list(found.looks.order_by("-id")[:500])}


@router.get("/system", response=list[PacerOut], summary="How each PACER is that is watched")
def system(request: HttpRequest) -> Any:
    """Give what each said when it was last asked, for who sees any message."""
    only(request, ())
    if not viewer_of(request).has(Right.VIEW):
        raise NotVisible("system")
    return [{name: getattr(one, name) for name in PacerOut.model_fields} for one in watching.look()]
