"""What has changed, in the order of its commits: how a page stays true without asking for all of it again."""

from __future__ import annotations

from attrs import frozen

from pacer_dashboard.models import Clock, Message
from pacer_dashboard.query import where
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.plans import along_indexes
from pacer_dashboard.query.rows import Row
from pacer_dashboard.query.viewer import Viewer


@frozen
class Changes:
    """Messages that are new or have changed, in the order of their changes.

    ``gone`` are the correlation ids of those that have changed so that the filter does not find them.
    ``revision`` is what to ask for next; ``more`` says that there is more already.
    """

    rows: tuple[Row, ...]
    gone: tuple[str, ...]
    revision: int
    more: bool


def newest() -> int:
    """Give the latest revision: all that is committed is of it, or an earlier one."""
    return Clock.objects.values_list("revision", flat=True).get(id=1)


def since(viewer: Viewer, filter_: Filter, revision: int, limit: int = 200) -> Changes:
    """Give what has changed after a revision, of what a viewer may see.

    Whoever asks again with the answer's ``revision`` misses no change; of several changes of one message
    between two questions he gets the latest.
    """
    last = newest()
    changed = Message.objects.filter(revision__gt=revision, revision__lte=last)
    seen = changed.filter(where.visible(viewer, Filter())).order_by("revision")
    with along_indexes():
        known = [*seen.values_list("revision", "correlation_id")[: limit + 1]]
    more = len(known) > limit
    known = known[:limit]
    if not known:
        return Changes((), (), last, more=False)
    until = known[-1][0] if more else last
    asked = changed.filter(where.visible(viewer, filter_), revision__lte=until)
    with along_indexes():
        rows = tuple(map(Row.of, asked.order_by("revision")))
    found = {one.correlation_id for one in rows}
    gone = tuple(one for _, one in known if one not in found)
    return Changes(rows, gone, until, more)
