"""When the checks run by themselves: once a day, from the service that looks after the dashboard."""

from __future__ import annotations

import os
from datetime import UTC, datetime, time, timedelta

from django.utils import timezone

from pacer_core import PacerError, ServiceContext
from pacer_dashboard.checks.options import check_options
from pacer_dashboard.models import CheckRun

AT = "INVESTIGATION_CHECK_AT"
"""The variable: when of the day, such as 04:30, in TIME_ZONE. Without it they do not run by themselves."""


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
    local = timezone.localtime(now or datetime.now(UTC))
    begin = local.replace(hour=moment.hour, minute=moment.minute, second=0, microsecond=0)
    if begin > local:
        begin -= timedelta(days=1)
    return not CheckRun.objects.filter(at__gte=begin).exists()


def tick(ctx: ServiceContext) -> None:
    """Run the checks if it is time; whatever goes wrong stands in their last run as well."""
    if not due():
        return
    from pacer_dashboard.checks.run import run

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
