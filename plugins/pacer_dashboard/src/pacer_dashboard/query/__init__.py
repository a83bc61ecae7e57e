"""The one way to what is stored: lists, pages, search, statistics and exports all ask here, with a viewer.

What a `Viewer` may see is decided in `where` alone; nothing else reads messages for people.
"""

from pacer_dashboard.query.errors import BadFilter, NotVisible
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.rows import Row, SightView
from pacer_dashboard.query.viewer import EVERYTHING, NOBODY, Right, Rule, Viewer

__all__ = [
    "EVERYTHING",
    "NOBODY",
    "BadFilter",
    "Filter",
    "NotVisible",
    "Right",
    "Row",
    "Rule",
    "SightView",
    "Viewer",
]
