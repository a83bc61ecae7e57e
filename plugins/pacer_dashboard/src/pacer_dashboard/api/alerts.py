"""Rules of alerts, for who sees everything: how they stand, written, tried out and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.forms.models import model_to_dict
from django.http import HttpRequest
from ninja import Router, Schema, Status
from ninja.params import functions as parameters
from pydantic import Field

from pacer_dashboard.access.asking import viewer_of
from pacer_dashboard.alerts import rules
from pacer_dashboard.api.bodies import LARGEST_ID, In, id_of
from pacer_dashboard.api.filters import only
from pacer_dashboard.api.problems import NotValid
from pacer_dashboard.models import AlertEvent, AlertRule
from pacer_dashboard.query import NotVisible, Viewer

router = Router(tags=["alerts"])
LARGEST = 2**31 - 1
BEFORE = parameters.Query(LARGEST_ID, ge=0, le=LARGEST_ID, description="Give those whose number is below.")
SIZE = parameters.Query(100, ge=1, le=1000)


class RuleChangeIn(In):
    """What is to be different about a rule; what is not said stays."""

    name: str | None = Field(None, max_length=255)
    kind: str | None = Field(None, description="error-rate, silence, dead or check-overdue.")
    type: str | None = Field(None, max_length=255, description="A message type; empty for all.")
    match: str | None = Field(
        None, max_length=10_000, description="Of a dead letter: its kind of failure, or a text in its reason."
    )
    window_minutes: int | None = Field(None, ge=-LARGEST, le=LARGEST)
    raise_at: float | None = Field(None, description="Above it the rule is raised.")
    clear_at: float | None = Field(None, description="At it or below the alert is over.")
    for_minutes: int | None = Field(None, ge=-LARGEST, le=LARGEST, description="For how long it is above.")
    repeat_hours: int | None = Field(None, ge=-LARGEST, le=LARGEST)
    mail: list[str] | None = Field(None, max_length=100, description="Addresses.")
    webhook: str | None = Field(
        None, max_length=10_000, description="An address; whoever knows it can write there, so none is given."
    )
    enabled: bool | None = None


class RuleIn(RuleChangeIn):
    """A new rule; what is not said is as in a new form of the page."""

    name: str = Field(min_length=1, max_length=255)
    kind: str = Field(description="error-rate, silence, dead or check-overdue.")


class AlertOut(Schema):
    """A rule that tells people when something is wrong, and how it stands."""

    id: int
    name: str
    kind: str
    type: str
    match: str
    window_minutes: int
    raise_at: float
    clear_at: float
    for_minutes: int
    repeat_hours: int
    mail: list[str]
    has_webhook: bool = Field(description="whether there is an address, which is not given: it is a secret")
    enabled: bool
    raised_at: datetime | None
    looked_at: datetime | None
    value: float | None
    trouble: str


class TriedOut(Schema):
    """By what people were told, and why not by all."""

    told: list[str]
    trouble: str


class EventOut(Schema):
    """That a rule was raised, is so still, or is over, and by what people were told."""

    id: int
    rule: int
    at: datetime
    what: str
    value: float | None
    text: str
    told: list[str]
    trouble: str


@router.get("/alerts", response=list[AlertOut], summary="Alerts, and how they stand")
def alerts(request: HttpRequest) -> Any:
    """Give all rules, for who sees everything."""
    only(request, ())
    _administers(request)
    return [_told(one) for one in AlertRule.objects.order_by("name")]


@router.post("/alerts", response=AlertOut, summary="Write a rule")
def write(request: HttpRequest, said: RuleIn) -> Any:
    """Write a new rule."""
    only(request, ())
    return _told(_save(_administers(request), AlertRule(), said))


@router.get("/alerts/events", response=list[EventOut], summary="What was told, the latest first")
def events(request: HttpRequest, before: int = BEFORE, size: int = SIZE) -> Any:
    """Give what has happened to rules, for who sees everything."""
    only(request, {"before", "size"})
    _administers(request)
    found = AlertEvent.objects.filter(id__lt=before).order_by("-id")[:size]
    return [
        {**{name: getattr(one, name) for name in EventOut.model_fields}, "rule": one.rule_id} for one in found
    ]


@router.get("/alerts/{int:rule}", response=AlertOut, summary="A rule, and how it stands")
def alert(request: HttpRequest, rule: int) -> Any:
    """Give a rule."""
    only(request, ())
    return _told(rules.rule_of(viewer_of(request), id_of(rule)))


@router.patch("/alerts/{int:rule}", response=AlertOut, summary="Change a rule")
def change(request: HttpRequest, rule: int, said: RuleChangeIn) -> Any:
    """Change what is said, as the page's form would."""
    only(request, ())
    viewer = viewer_of(request)
    return _told(_save(viewer, rules.rule_of(viewer, id_of(rule)), said))


@router.post("/alerts/{int:rule}/test", response=TriedOut, summary="Try a rule out")
def try_out(request: HttpRequest, rule: int) -> Any:
    """Tell those whom a rule tells that it can, with what it measures now."""
    only(request, ())
    viewer = viewer_of(request)
    told, trouble = rules.try_out(viewer, rules.rule_of(viewer, id_of(rule)))
    return {"told": told, "trouble": trouble}


@router.delete("/alerts/{int:rule}", response={204: None}, summary="Delete a rule")
def delete(request: HttpRequest, rule: int) -> Any:
    """Delete a rule, with what it told."""
    only(request, ())
    viewer = viewer_of(request)
    rules.delete(viewer, rules.rule_of(viewer, id_of(rule)))
    return Status(204, None)


def _administers(request: HttpRequest) -> Viewer:
    viewer = viewer_of(request)
    if not viewer.everything:
        raise NotVisible("alerts")
    return viewer


def _save(viewer: Viewer, rule: AlertRule, said: RuleChangeIn) -> AlertRule:
    """Save a rule by the form of the page, so that both refuse the same."""
    changes = said.model_dump(exclude_none=True)
    if "mail" in changes:
        changes["mail"] = "\n".join(changes["mail"])
    form = rules.RuleForm({**model_to_dict(rule, rules.FIELDS), **changes}, instance=rule)
    if not form.is_valid():
        raise NotValid(_wrong(form.errors))
    return rules.save(viewer, form)


def _wrong(errors: Mapping[str, Any]) -> dict[str, str]:
    return {name: " ".join(str(one) for one in said) for name, said in errors.items()}


def _told(rule: AlertRule) -> dict[str, Any]:
    plain = {
        name: getattr(rule, name) for name in AlertOut.model_fields if name not in ("mail", "has_webhook")
    }
    return {**plain, "mail": rule.mail.splitlines(), "has_webhook": bool(rule.webhook)}
