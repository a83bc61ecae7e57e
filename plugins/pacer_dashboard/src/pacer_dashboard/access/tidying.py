"""What access leaves behind, and nobody needs any more: sessions that have ended, and old wrong passwords."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.sessions.models import Session
from django.utils import timezone

from pacer_core import ServiceContext

KEPT = timedelta(days=30)
"""How long attempts to log in are kept, which name people and addresses."""


def tidy(ctx: ServiceContext) -> None:
    """Delete them."""
    from axes.models import AccessAttempt, AccessFailureLog, AccessLog

    now = timezone.now()
    deleted = Session.objects.filter(expire_date__lt=now).delete()[0]
    for attempts in (AccessAttempt, AccessFailureLog, AccessLog):
        deleted += attempts.objects.filter(attempt_time__lt=now - KEPT).delete()[0]
    if deleted:
        ctx.log.info("%d sessions and attempts to log in are deleted, which have ended", deleted)
