"""What people say of messages and of errors: with a name, a time and a note, and written down."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from django.db import transaction

from pacer_dashboard import store
from pacer_dashboard.again.audit import note as write_down
from pacer_dashboard.again.selection import Selection
from pacer_dashboard.models import ErrorGroup
from pacer_dashboard.query import NotVisible, Right, Viewer, groups

_AT_ONCE = 500
_NAME = 255
"""Characters of a name beside a message or an error; who it was stands in the audit log."""


def acknowledge(viewer: Viewer, selection: Selection, note: str = "") -> int:
    """Acknowledge the messages on which a viewer may act; give how many there were."""
    return _each(viewer, selection, "acknowledge", note)


def unacknowledge(viewer: Viewer, selection: Selection, note: str = "") -> int:
    """Take acknowledgements back; give of how many messages."""
    return _each(viewer, selection, "unacknowledge", note)


def _each(viewer: Viewer, selection: Selection, action: str, note: str) -> int:
    at = datetime.now(UTC)
    ids = [row.correlation_id for row in selection.rows(viewer, Right.ACT)]
    changed = 0
    with transaction.atomic():
        for begin in range(0, len(ids), _AT_ONCE):
            some = ids[begin : begin + _AT_ONCE]
            changed += (
                store.acknowledge(some, by=viewer.name[:_NAME], at=at, note=note)
                if action == "acknowledge"
                else store.unacknowledge(some)
            )
        if changed:
            write_down(viewer, action, selection.said, note, count=changed, ids=ids[:_AT_ONCE])
    return changed


def set_status(viewer: Viewer, ids: Sequence[int], status: str, note: str = "") -> int:
    """Resolve, ignore or open groups of errors; give how many.

    A group holds messages of many people: who sees some of it may act on the whole where he may act on a
    message of it.

    Raises
    ------
    NotVisible
        Where there is one that is not his to act on; nothing is changed then.
    """
    seen = _own(viewer, ids)
    with transaction.atomic():
        for id_ in seen:
            store.set_status(id_, ErrorGroup.Status(status), by=viewer.name[:_NAME], note=note)
        write_down(viewer, f"errors-{status}", _named(seen), note, count=len(seen))
    return len(seen)


def merge(viewer: Viewer, ids: Sequence[int], note: str = "") -> int:
    """Let the group that is the oldest stand for the others, too; give which.

    Raises
    ------
    NotVisible
        As in `set_status`.
    ValueError
        Where there are not two.
    """
    seen = _own(viewer, ids)
    if len(seen) < 2:
        raise ValueError("merging takes two errors or more: choose them first")
    into = min(seen)
    with transaction.atomic():
        store.merge(seen, into)
        write_down(viewer, "errors-merge", _named(seen), note, count=len(seen), into=into)
    return into


def split(viewer: Viewer, id_: int, note: str = "") -> bool:
    """Let a group stand for itself again; whether it did not before.

    Raises
    ------
    NotVisible
        As in `set_status`.
    """
    _own(viewer, [id_])
    with transaction.atomic():
        done = store.split(id_)
        if done:
            write_down(viewer, "errors-split", _named([id_]), note)
    return done


def _own(viewer: Viewer, ids: Sequence[int]) -> list[int]:
    """Give the groups, each of which is this viewer's to act on."""
    for id_ in ids:
        groups.group(viewer, id_)
        if not viewer.everything and not _acts_on(viewer, id_):
            raise NotVisible(f"group {id_}")
    return list(dict.fromkeys(ids))


def _acts_on(viewer: Viewer, id_: int) -> bool:
    from pacer_dashboard.query import Filter, listing

    return next(listing.ids(viewer, Filter(group=id_), Right.ACT), None) is not None


def _named(ids: Sequence[int]) -> str:
    return ", ".join(f"error {id_}" for id_ in ids)
