"""When the checks run by themselves: once a day, from the service that looks after the dashboard."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import Q
from django.utils import timezone

from pacer_core import PacerError, ServiceContext
from pacer_dashboard.alone import for_all
from pacer_dashboard.checks.options import check_options
from pacer_dashboard.models import CheckRun

AT = "INVESTIGATION_CHECK_AT"
"""The variable: when of the day, such as 04:30, in TIME_ZONE. Without it they do not run by themselves."""
LONGEST = timedelta(hours=1)
"""After which a run that has not finished counts as one that was killed: it is due anew."""


def at() -> time | None:
    """Give the time of the day; ``None`` where there is none.

    Raises
    ------
    PacerError
        Where it cannot be read.
    """
    given = os.environ.get(AT, "").strip()
    try:
        return time.fromisoformat(given) if given else None
    except ValueError:
        raise PacerError(f"{AT}: should be a time of the day such as 04:30") from None


def due(now: datetime | None = None) -> bool:
    """Tell whether the checks of this day are still to be run."""
    moment = at()
    if moment is None:
        return False
    now = now or datetime.now(UTC)
    today = timezone.localtime(now).date()
    begin = _begin(today, moment)
    if begin > now:
        begin = _begin(today - timedelta(days=1), moment)
    cut_short = Q(finished_at=None, at__lt=now - LONGEST)
    return not CheckRun.objects.filter(~cut_short, at__gte=begin).exists()


def _begin(day: date, moment: time) -> datetime:
    """Give when the checks of a day begin: once, also where the clocks show that hour twice or never."""
    local = datetime(
        day.year, day.month, day.day, moment.hour, moment.minute, tzinfo=timezone.get_default_timezone()
    )
    return local.astimezone(UTC)


def tick(ctx: ServiceContext) -> None:
    """Run the checks if it is time; whatever goes wrong stands in their last run as well."""
    if not due():
        return
    from pacer_dashboard.checks.run import run

    with for_all("checks") as ours:
        if not ours or not due():  # another service has just begun with them, or ended
            return
        report = run(check_options())
    ctx.log.info("investigations: %d looked at, %d sent", len(report.looks), len(report.sent))


def trouble() -> str:
    """Say why the checks do not run by themselves; empty where they do."""
    try:
        if at() is None:
            return f"{AT} is not set: the checks run by `pacer dashboard checks` alone"
        check_options()
    except PacerError as error:
        return str(error)
    return ""
