"""The difference between two payloads, line by line of what is shown of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from attrs import frozen
from django.utils.translation import gettext

from pacer_dashboard.pages.payload import pretty
from pacer_dashboard.query import life
from pacer_dashboard.query.rows import SightView
from pacer_dashboard.query.viewer import Viewer

MOST = 4000
"""Lines of each side that are compared; the time it takes grows with their product."""
_AROUND = 3


@frozen
class Change:
    """A line: ``kind`` is ``same``, ``plus``, ``minus`` or ``gap``, where lines are left out."""

    kind: str
    text: str = ""
    old: int | None = None
    new: int | None = None

    @property
    def sign(self) -> str:
        """The sign that says the same as the colour."""
        return {"plus": "+", "minus": "\N{MINUS SIGN}"}.get(self.kind, "")


@frozen
class Difference:
    """What changed between two texts with names; no lines where nothing did."""

    left: str
    right: str
    lines: tuple[Change, ...]
    cut: bool


def difference(left: tuple[str, bytes], right: tuple[str, bytes]) -> Difference:
    """Compare two payloads, each with its name, after both were indented."""
    old, new = (pretty(body.decode("utf-8", "replace"))[0].splitlines() for _, body in (left, right))
    cut = len(old) > MOST or len(new) > MOST
    return Difference(left[0], right[0], tuple(_changes(old[:MOST], new[:MOST])), cut)


def named(sight: SightView) -> str:
    """Give a sight's name among those of its message."""
    return gettext("{consumer}, attempt {number}").format(consumer=sight.consumer, number=sight.attempt)


def of_sights(viewer: Viewer, correlation_id: str, left: SightView, right: SightView) -> Difference:
    """Compare the payloads of two sights of a message.

    Raises
    ------
    NotVisible
        Where one of them is not kept, or not for this viewer.
    """
    bodies = [(named(one), life.payload(viewer, correlation_id, one.id)) for one in (left, right)]
    return difference(bodies[0], bodies[1])


def _changes(old: Sequence[str], new: Sequence[str]) -> Iterator[Change]:
    end = 0
    for group in SequenceMatcher(None, old, new).get_grouped_opcodes(_AROUND):
        if group[0][1] > end:
            yield Change("gap")
        for what, i1, i2, j1, j2 in group:
            if what == "equal":
                yield from (
                    Change("same", text, i1 + at + 1, j1 + at + 1) for at, text in enumerate(old[i1:i2])
                )
                continue
            yield from (Change("minus", text, i1 + at + 1) for at, text in enumerate(old[i1:i2]))
            yield from (Change("plus", text, None, j1 + at + 1) for at, text in enumerate(new[j1:j2]))
        end = group[-1][2]
    if end and end < len(old):
        yield Change("gap")
