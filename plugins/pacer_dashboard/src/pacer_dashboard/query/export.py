"""All that a filter finds, as files have it."""

from __future__ import annotations

from collections.abc import Iterator

from pacer_dashboard.query import listing
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.rows import Row
from pacer_dashboard.query.viewer import Viewer


def rows(viewer: Viewer, filter_: Filter) -> Iterator[Row]:
    """Give all messages that a viewer may see and a filter finds, newest first, a few hundred in memory."""
    return listing.walk(viewer, filter_)
