"""The few counts that people who are not signed in may see, where that is switched on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from attrs import frozen
from django.conf import settings

from pacer_dashboard.query import EVERYTHING, Filter, statistics

SPAN = timedelta(days=1)


@frozen
class Counts:
    """Of the last day, by whole hours: messages that arrived, and deliveries that failed."""

    messages: int
    errors: int


def public_counts() -> Counts | None:
    """Give the counts, which name nothing; None where everybody shall see nothing."""
    if not settings.PACER_PUBLIC_COUNTS:
        return None
    now = datetime.now(UTC)
    numbers, _ = statistics.total(EVERYTHING, Filter(), now - SPAN, now)
    return Counts(numbers.messages, numbers.errors)
