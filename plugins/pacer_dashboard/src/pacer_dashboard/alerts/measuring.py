"""What rules watch, measured: a number, and a sentence that says what it is."""

from __future__ import annotations

from datetime import datetime, timedelta

from attrs import frozen
from django.db.models import Max, Q, QuerySet

from pacer_dashboard.models import AlertRule, CheckRun, Message

Kind = AlertRule.Kind
LONGEST = timedelta(days=93)
"""How long before the window a message may have arrived that died in it: by their arrival they are found."""


@frozen
class Measured:
    """A value, ``None`` where there is nothing to measure, and what it says."""

    value: float | None
    text: str


def measure(rule: AlertRule, now: datetime) -> Measured:
    """Measure what a rule watches."""
    of = f" of type {rule.type}" if rule.type else ""
    begin = now - timedelta(minutes=rule.window_minutes)
    if rule.kind == Kind.CHECK_OVERDUE:
        return _overdue(now)
    messages = Message.objects.filter(type=rule.type) if rule.type else Message.objects.all()
    if rule.kind == Kind.DEAD:
        return _dead(messages, rule, of, begin)
    # Others say when a message arrived: one whose clock is ahead must not hide a silence until then.
    messages = messages.filter(arrived__lte=now)
    return _silence(messages, of, now) if rule.kind == Kind.SILENCE else _rate(messages, rule, of, begin)


def _rate(messages: QuerySet[Message], rule: AlertRule, of: str, begin: datetime) -> Measured:
    """Give how many in a hundred messages that arrived in the window are not done."""
    arrived = messages.filter(arrived__gte=begin)
    total = arrived.count()
    if not total:
        return Measured(0.0, f"no message{of} in {rule.window_minutes} min")
    failed = arrived.exclude(state="acked").count()
    return Measured(
        100 * failed / total,
        f"{failed} of {total} messages{of} that arrived within {rule.window_minutes} min have failed",
    )


def _silence(messages: QuerySet[Message], of: str, now: datetime) -> Measured:
    """Give for how many minutes nothing has arrived; where nothing ever has, there is nothing to miss."""
    last = messages.aggregate(last=Max("arrived"))["last"]
    if last is None:
        return Measured(None, f"there has never been a message{of}")
    minutes = (now - last).total_seconds() / 60
    return Measured(minutes, f"the last message{of} arrived {minutes:.0f} min ago")


def _dead(messages: QuerySet[Message], rule: AlertRule, of: str, begin: datetime) -> Measured:
    dead = messages.filter(state="dead", troubled=True, finished__gte=begin, arrived__gte=begin - LONGEST)
    if rule.match:
        dead = dead.filter(Q(kind=rule.match) | Q(reason__icontains=rule.match))
    number = dead.count()
    about = f" by {rule.match!r}" if rule.match else ""
    return Measured(number, f"{number} messages{of} died{about} within {rule.window_minutes} min")


def _overdue(now: datetime) -> Measured:
    last = CheckRun.objects.filter(finished_at__isnull=False, trouble="").aggregate(last=Max("finished_at"))[
        "last"
    ]
    if last is None:
        first = CheckRun.objects.order_by("at").values_list("at", flat=True).first()
        if first is None:
            return Measured(None, "the checks of investigations have never run")
        last = first
    hours = (now - last).total_seconds() / 3600
    return Measured(hours, f"the last run of the checks without trouble was {hours:.0f} h ago")
