"""What people say of messages and errors. Who may is asked before, by those who call this."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from pacer_dashboard.models import ErrorGroup, Life, Message
from pacer_dashboard.store import clock


def acknowledge(correlation_ids: Sequence[str], *, by: str, at: datetime, note: str) -> int:
    """Acknowledge messages: somebody knows, and has said what. Give how many there were."""
    return _change(correlation_ids, acknowledged_by=by, acknowledged_at=at, acknowledged_note=note[:10_000])


def unacknowledge(correlation_ids: Sequence[str]) -> int:
    """Take acknowledgements back. Give how many messages there were."""
    return _change(correlation_ids, acknowledged_by="", acknowledged_at=None, acknowledged_note="")


def _change(correlation_ids: Sequence[str], **values: object) -> int:
    with transaction.atomic():
        revision = clock.take(len(correlation_ids))
        changed = 0
        for message in _messages(correlation_ids):
            changed += message.update(**values, revision=revision + changed)
    return changed


def _messages(correlation_ids: Sequence[str]) -> Iterable[QuerySet[Message]]:
    for life in Life.objects.filter(correlation_id__in=correlation_ids):
        yield Message.objects.filter(
            arrived=life.arrived, correlation_id=life.correlation_id, troubled=life.troubled
        )


def set_status(group: int, status: ErrorGroup.Status, *, by: str, note: str = "") -> bool:
    """Open, resolve or ignore a group of errors; ``False`` where there is none of that number."""
    with transaction.atomic():
        revision = clock.take(1)
        changed = ErrorGroup.objects.filter(id=group).update(
            status=status, status_by=by, status_at=Now(), status_note=note, revision=revision
        )
    return bool(changed)


def merge(groups: Sequence[int], into: int) -> int:
    """Let a group stand for others, and for those that they stand for. Give how many it stands for now."""
    with transaction.atomic():
        revision = clock.take(1)
        ids = set(groups) - {into}
        if not ids or not ErrorGroup.objects.filter(id=into).exists():
            return 0
        root = root_of(into)
        ids.discard(root)
        ErrorGroup.objects.filter(merged_into__in=ids).update(merged_into=root, revision=revision)
        ErrorGroup.objects.filter(id__in=ids).update(merged_into=root, revision=revision)
        return ErrorGroup.objects.filter(merged_into=root).count()


def split(group: int) -> bool:
    """Let a group that was merged stand for itself again; ``False`` where it was not."""
    with transaction.atomic():
        revision = clock.take(1)
        changed = ErrorGroup.objects.filter(id=group, merged_into__isnull=False).update(
            merged_into=None, revision=revision
        )
    return bool(changed)


def root_of(group: int) -> int:
    """Give the group that stands for one; itself, where it was not merged."""
    found = ErrorGroup.objects.filter(id=group).values_list("merged_into", flat=True).first()
    return group if found is None else found
