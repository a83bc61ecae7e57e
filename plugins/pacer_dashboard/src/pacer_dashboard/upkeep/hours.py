"""Sums by the hour: forgotten when nobody looks that closely any more; days and months stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db.models import Min

from pacer_core import ServiceContext
from pacer_dashboard.models import Rollup
from pacer_dashboard.options import DashboardUpkeepOptions
from pacer_dashboard.query.statistics import Step, bucket_of


def drop(ctx: ServiceContext) -> None:
    """Delete the hours that are older than the options say."""
    options: DashboardUpkeepOptions = ctx.options
    ctx.count("rows_deleted", forget(options.hours))


def forget(keep: timedelta, now: datetime | None = None) -> int:
    """Delete the hours of whole days (UTC) that ended before their time, a day at a time; give how many."""
    hours = Rollup.objects.filter(step=Rollup.Step.HOUR)
    before = bucket_of((now or datetime.now(UTC)) - keep, Step.DAY)
    deleted = 0
    while (oldest := hours.aggregate(first=Min("bucket"))["first"]) is not None and oldest < before:
        day = bucket_of(oldest, Step.DAY) + timedelta(days=1)
        deleted += hours.filter(bucket__lt=day).delete()[0]
    return deleted
