"""Dead queues: letters, sent back or discarded."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from django.http import HttpRequest
from ninja import Router, Schema
from ninja.params import functions as parameters
from pydantic import AwareDatetime, Field

from pacer_dashboard.access.asking import viewer_of
from pacer_dashboard.again import letters
from pacer_dashboard.api.bodies import In
from pacer_dashboard.api.filters import only
from pacer_dashboard.api.problems import NotPossible
from pacer_dashboard.query import NotVisible

router = Router(tags=["dead queues"])
LONGEST_BODY = 100_000
"""Bytes of a letter's body that are given."""
CONSUMER = parameters.Query(None, max_length=255, description="The consumer that the letters are of.")
ERROR = parameters.Query(None, max_length=600, description="A text in the error.")
ABOUT = parameters.Query(None, max_length=600, description="What letters are about: `proposal=...`.")
LetterId = Annotated[str, Field(min_length=1, max_length=255)]


class LetterOut(Schema):
    """A message in a dead queue; ``about`` says what its consumer found in it."""

    id: str
    queue: str
    came_from: str | None
    claims_to_come_from: str | None = Field(description="the queue that it names, where that is in doubt")
    consumer: str | None
    dead_at: datetime | None
    first_seen: datetime | None
    about: dict[str, Any]
    error: str
    fields: list[str]
    attempts: int
    correlation_id: str | None
    done: list[str]
    pending: list[str]
    content_type: str | None
    size: int


class TaskFailureOut(Schema):
    """Why a task failed."""

    task: str
    kind: str
    reason: str


class LetterWholeOut(LetterOut):
    """A letter with what its tasks said; ``payload`` is text, where you may see it."""

    failures: list[TaskFailureOut]
    payload: str | None = Field(
        description=f"its first {LONGEST_BODY:,} bytes; signs that are not UTF-8 are replaced"
    )


class CauseOut(Schema):
    """An error, without what varies in it, and how many letters have it."""

    consumer: str
    error: str
    count: int


class DeadOut(Schema):
    """What is in the dead queues: ``number`` counts all, ``letters`` has the latest."""

    number: int
    letters: list[LetterOut]
    causes: list[CauseOut]
    consumers: list[str]
    queues: list[str]


class LettersIn(In):
    """Letters by their ids, or ``all`` that the other fields find."""

    ids: list[LetterId] | None = Field(
        None, min_length=1, max_length=letters.SHOWN, description="Ids, their beginnings, or correlation ids."
    )
    all: bool = False
    consumer: str | None = Field(None, max_length=255)
    error: str | None = Field(None, max_length=600)
    about: str | None = Field(None, max_length=600)
    before: AwareDatetime | None = Field(
        None, description="Leave those alone that have died since, and those of which nobody knows when."
    )
    reason: str = Field(min_length=1, max_length=10_000, description="It stands in the audit log.")


class ReplayIn(LettersIn):
    """Letters to send back, and how."""

    to: str | None = Field(None, max_length=255, description="A queue; without it, where they came from.")
    pending_only: bool = Field(False, description="Run only the tasks that are not done.")


class LettersDoneOut(Schema):
    """What became of letters."""

    done: int
    left: dict[str, int] = Field(description="how many are where they were, by the reason")
    restarted: int = Field(description="of those done: they had no signature that fits, and went as new ones")


@router.get("/dead", response=DeadOut, summary="What is in the dead queues, the latest first")
def dead(
    request: HttpRequest,
    consumer: str | None = CONSUMER,
    error: str | None = ERROR,
    about: str | None = ABOUT,
) -> Any:
    """Look into the dead queues, which takes a moment; of letters that are not yours nothing is said."""
    only(request, {"consumer", "error", "about"})
    viewer = viewer_of(request)
    if not letters.sees(viewer):
        raise NotVisible("dead queues")
    found = letters.look(viewer, letters.Asked(consumer or None, error or None, about or None))
    causes = [{"consumer": one[0], "error": one[1], "count": count} for one, count in found.causes]
    return {
        "number": found.number,
        "letters": found.letters,
        "causes": causes,
        "consumers": found.consumers,
        "queues": found.queues,
    }


@router.get("/dead/letters/{letter}", response=LetterWholeOut, summary="A dead letter")
def letter(request: HttpRequest, letter: str) -> Any:
    """Give a letter whole."""
    only(request, ())
    viewer = viewer_of(request)
    if not letters.sees(viewer):
        raise NotVisible("dead queues")
    found, body = letters.letter(viewer, letter)
    return {**found, "payload": None if body is None else body[:LONGEST_BODY].decode("utf-8", "replace")}


@router.post("/dead/replay", response=LettersDoneOut, summary="Send dead letters back")
def replay(request: HttpRequest, said: ReplayIn) -> Any:
    """Send back those that you may send again; the broker confirms each before it leaves its queue."""
    return _act(request, said, "replay", to=said.to or None, pending_only=said.pending_only)


@router.post("/dead/discard", response=LettersDoneOut, summary="Discard dead letters for good")
def discard(request: HttpRequest, said: LettersIn) -> Any:
    """Discard those that you may send again and act on."""
    return _act(request, said, "discard")


def _act(request: HttpRequest, said: LettersIn, what: letters.What, **more: Any) -> Any:
    only(request, ())
    viewer = viewer_of(request)
    if not letters.may(viewer, what):
        raise NotVisible("dead queues")
    if said.all == bool(said.ids):
        raise NotPossible("name letters by their ids, or say that all are meant")
    asked = letters.Asked(said.consumer or None, said.error or None, said.about or None, said.before)
    fits = {name: value for name in ("consumer", "error", "about") if (value := getattr(said, name))}
    named = ", ".join(said.ids or ()) or f"all that fit ?{urlencode(fits)}"
    order = letters.Order(what, said.reason.strip(), tuple(said.ids or ()), asked, said=named, **more)
    return letters.act(viewer, order)
