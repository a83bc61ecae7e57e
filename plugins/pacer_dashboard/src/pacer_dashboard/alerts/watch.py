"""Looks at all rules, writes down what has changed, and sees to it that people are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import transaction

from pacer_core import ServiceContext
from pacer_dashboard.alerts.engine import Limits, Standing, What, step
from pacer_dashboard.alerts.measuring import Measured, measure
from pacer_dashboard.alerts.telling import tell, ways
from pacer_dashboard.alone import for_all
from pacer_dashboard.models import AlertEvent, AlertRule

_TRIED = timedelta(hours=24)
"""For how long it is tried to tell what could not be told."""
_WORDS = {"raised": "ALERT", "still": "STILL", "over": "OVER"}


def tick(ctx: ServiceContext) -> None:
    """Look at all rules, as a job of the service."""
    look()


def look(now: datetime | None = None) -> list[AlertEvent]:
    """Look at all rules; give what has happened. Of several services that look, one does so at a time."""
    with for_all("alerts") as ours:
        return _look_at_all(now or datetime.now(UTC)) if ours else []


def _look_at_all(now: datetime) -> list[AlertEvent]:
    events = [event for rule in AlertRule.objects.filter(enabled=True) if (event := _look(rule, now))]
    untold = AlertEvent.objects.filter(at__gte=now - _TRIED, rule__enabled=True).exclude(trouble="")
    for event in untold.select_related("rule").order_by("id"):
        if not event.told or ways(event.rule) - {*event.told}:
            _tell(event)
    return events


def _look(rule: AlertRule, now: datetime) -> AlertEvent | None:
    found = measure(rule, now)
    limits = Limits(
        rule.raise_at,
        rule.clear_at,
        timedelta(minutes=rule.for_minutes),
        timedelta(hours=rule.repeat_hours),
    )
    before = Standing(rule.above_since, rule.raised_at, rule.told_at)
    after, what = step(before, found.value, limits, now)
    with transaction.atomic():
        AlertRule.objects.filter(id=rule.id).update(
            above_since=after.above_since,
            raised_at=after.raised_at,
            told_at=after.told_at,
            value=found.value,
            looked_at=now,
        )
        if what is None:
            return None
        return _event(rule, what, found, now)


def _event(rule: AlertRule, what: What, found: Measured, now: datetime) -> AlertEvent:
    """Write down what is to be told, before anybody is: after a crash it is told, maybe twice."""
    return AlertEvent.objects.create(
        rule=rule, at=now, what=what, value=found.value, text=found.text, trouble="to be told"
    )


def _tell(event: AlertEvent) -> None:
    rule = event.rule
    told, trouble = tell(rule, f"[PACER] {_WORDS[event.what]}: {rule.name}", _text(event), already=event.told)
    event.told = sorted({*event.told, *told})
    event.trouble = trouble
    event.save(update_fields=["told", "trouble"])
    AlertRule.objects.filter(id=rule.id).update(trouble=trouble)


def _text(event: AlertEvent) -> str:
    rule = event.rule
    return f"{event.text}\n(raised above {rule.raise_at:g}, over at {rule.clear_at:g} or below)"


def test(rule: AlertRule) -> tuple[list[str], str]:
    """Tell people that a rule can tell them, with what it measures now."""
    found = measure(rule, datetime.now(UTC))
    return tell(rule, f"[PACER] TEST: {rule.name}", f"Somebody tries this rule out. {found.text}")
