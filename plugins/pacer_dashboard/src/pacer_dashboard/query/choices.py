"""What can be chosen in a filter: types, consumers and instruments that there were, of what a viewer sees."""

from __future__ import annotations

from attrs import frozen

from pacer_dashboard.models import Rollup
from pacer_dashboard.query import where
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.statistics import on_sums
from pacer_dashboard.query.viewer import Right, Viewer

_MOST = 2000


@frozen
class Choices:
    """What there is to choose from, sorted."""

    types: tuple[str, ...]
    consumers: tuple[str, ...]
    instruments: tuple[str, ...]


def choices(viewer: Viewer) -> Choices:
    """Give what there was of what a viewer sees.

    Where his rules cannot be told by the sums, it is what they name, so that he learns of nothing else.
    """
    condition = on_sums(viewer, Filter())
    if condition is None:
        return _named(viewer)
    rows = (
        Rollup.objects.filter(condition, step=Rollup.Step.MONTH, task="")
        .order_by()
        .values_list("type", "consumer", "instrument")
        .distinct()[:_MOST]
    )
    columns = [*zip(*rows, strict=True)] or [(), (), ()]
    types, consumers, instruments = (tuple(sorted({one for one in column if one})) for column in columns)
    return Choices(types, consumers, instruments)


def _named(viewer: Viewer) -> Choices:
    types: set[str] = set()
    instruments: set[str] = set()
    for rule in where.rules(viewer, Right.VIEW):
        if rule is not None:
            types |= rule.types or set()
            instruments |= rule.identifiers.get("instrument", set())
    return Choices(tuple(sorted(types)), (), tuple(sorted(instruments)))
