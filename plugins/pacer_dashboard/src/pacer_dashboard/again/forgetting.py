"""Edited payloads are forgotten as other payloads are: they may be about people."""

from __future__ import annotations

from datetime import UTC, datetime

from pacer_core import ServiceContext
from pacer_dashboard.models import Item
from pacer_dashboard.options import DashboardUpkeepOptions


def tick(ctx: ServiceContext) -> None:
    """Forget the edited payloads of batches that ended longer ago than payloads are kept."""
    options: DashboardUpkeepOptions = ctx.options
    forget(datetime.now(UTC) - options.payloads)


def forget(before: datetime) -> int:
    """Forget the edited payloads of batches that ended before; give of how many messages."""
    return Item.objects.filter(batch__finished_at__lt=before, body__isnull=False).update(body=None)
