"""Dead queues: what is in them, sent back or discarded, by the code of `pacer dead`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from heapq import nlargest
from typing import Any, Literal

from attrs import field, frozen

from pacer_core import BrokerByHand, LetterChoice, LettersLeft, PacerError
from pacer_dashboard.again import broker
from pacer_dashboard.again.audit import note
from pacer_dashboard.query import NotVisible, Right, Viewer

SHOWN = 200
"""Letters that are given of a look: the latest; all are counted."""
_VARIES = re.compile(r"'[^']*'|\"[^\"]*\"|\d+")
_LONGEST = 600
Letter = Mapping[str, Any]
What = Literal["replay", "discard"]
RIGHTS: Mapping[What, tuple[Right, ...]] = {
    "replay": (Right.REINGEST,),
    "discard": (Right.REINGEST, Right.ACT),
}
"""What one has to have on a letter."""


@frozen
class Asked:
    """Which letters: of a consumer, with a text in the error, about something, and dead before a time."""

    consumer: str | None = None
    error: str | None = None
    about: str | None = None
    before: datetime | None = None

    def choice(self, allowed_: Callable[[Letter], bool], ids: Sequence[str] = ()) -> LetterChoice:
        """Give the choice; a letter whose time is unknown fits no limit of time, and ids name it."""
        return LetterChoice(
            ids=tuple(ids),
            consumer=self.consumer,
            # A text, and no expression as `pacer dead` takes it: one that never ends would hold up everybody.
            error=None if self.error is None else re.escape(self.error),
            about=self.about,
            before=None if ids else self.before,
            allowed=allowed_,
        )


@frozen
class Looked:
    """What is in the dead queues of what was asked for."""

    number: int = 0
    letters: Sequence[Letter] = ()
    """The latest."""
    causes: Sequence[tuple[tuple[str, str], int]] = ()
    """By consumer and error, without what varies, how many; the most frequent ones."""
    consumers: Sequence[str] = ()
    queues: Sequence[str] = ()


@frozen
class Order:
    """What is to be done: with letters named by ``ids``, or without ids with all that is ``asked``."""

    what: What
    reason: str
    ids: tuple[str, ...] = ()
    asked: Asked = field(factory=Asked)
    to: str | None = None
    """The queue for what is replayed; the one it came from where it is not said."""
    pending_only: bool = False
    """Whether only tasks that are not done are to run."""
    said: str = ""
    """Which letters, for the audit log."""


@frozen
class _About:
    """What roles are asked about for a letter: the type of its consumer, and what it is about."""

    type: str
    identifiers: Mapping[str, str]


def sees(viewer: Viewer) -> bool:
    """Tell whether dead queues are this viewer's to look at: one looks at a time, so not everybody's."""
    return viewer.has(Right.ACT) or viewer.has(Right.REINGEST)


def may(viewer: Viewer, what: What) -> bool:
    """Tell whether there is any letter with which a viewer may do so."""
    return all(viewer.has(right) for right in RIGHTS[what])


def allowed(viewer: Viewer, opened: BrokerByHand, *rights: Right) -> Callable[[Letter], bool]:
    """Give what says of a letter whether a viewer has rights on it; one that nobody knows is for few."""
    types = {name: type_ for name, (type_, _) in opened.consumers.items()}

    def may_(letter: Letter) -> bool:
        about = _About(types.get(letter["consumer"] or "", ""), letter["about"])
        return all(viewer.may(right, about) for right in rights)

    return may_


def look(viewer: Viewer, asked: Asked) -> Looked:
    """Look for letters that a viewer sees.

    Raises
    ------
    PacerError
        Where the broker is not configured or cannot be reached, or somebody else looks just now.
    """
    number = 0
    causes = Counter[tuple[str, str]]()

    def counted(found: Iterator[Letter]) -> Iterator[tuple[str, int, Letter]]:
        nonlocal number
        for letter in found:
            number += 1
            causes[letter["consumer"] or "-", _VARIES.sub("…", letter["error"])[:_LONGEST]] += 1
            yield letter["dead_at"] or "", number, letter

    with broker.opened() as opened:
        found = opened.letters(asked.choice(allowed(viewer, opened, Right.VIEW)))
        latest = nlargest(SHOWN, counted(iter(found)), key=lambda one: one[:2])
        return Looked(
            number,
            [letter for _, _, letter in latest],
            causes.most_common(10),
            sorted(opened.consumers),
            [*opened.queues],
        )


def letter(viewer: Viewer, id_: str) -> tuple[Letter, bytes | None]:
    """Give a letter, and its body where personal data of it are this viewer's to see.

    Raises
    ------
    NotVisible
        Where it is not there, or not his to see.
    PacerError
        As `look`.
    """
    with broker.opened() as opened:
        found = opened.letter(Asked().choice(allowed(viewer, opened, Right.VIEW), [id_]))
        if found is None:
            raise NotVisible(f"letter {id_}")
        letter_, body = found
        return letter_, body if allowed(viewer, opened, Right.PERSONAL)(letter_) else None


def act(viewer: Viewer, order: Order) -> LettersLeft:
    """Do what is to be done with those letters on which a viewer has the rights, and write it down.

    Raises
    ------
    PacerError
        As `look`, or where no reason is given, or ``to`` names a queue for which his rights are too few.
    """
    if not order.reason:
        raise PacerError("say why: the reason stands in the audit log")
    if order.to and not viewer.has_everywhere(Right.REINGEST):
        raise PacerError("another queue is for who may send any message again: leave letters their own one")
    try:
        with broker.opened() as opened:
            choice = order.asked.choice(allowed(viewer, opened, *RIGHTS[order.what]), order.ids)
            done = (
                opened.discard(choice)
                if order.what == "discard"
                else opened.replay(choice, to=order.to, pending_only=order.pending_only)
            )
    except PacerError:
        note(viewer, f"dead-{order.what}-failed", order.said, order.reason, count=0)
        raise
    note(
        viewer,
        f"dead-{order.what}",
        order.said,
        order.reason,
        count=done.done,
        to=order.to or "",
        left=dict(done.left),
    )
    return done
