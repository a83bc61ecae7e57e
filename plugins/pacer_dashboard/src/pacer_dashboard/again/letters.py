"""Dead queues: what is in them, sent back or discarded, by the code of `pacer dead`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from heapq import nlargest
from typing import Any

from attrs import frozen
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from pacer_core import BrokerByHand, LetterChoice, LettersLeft, PacerError
from pacer_dashboard.again import broker
from pacer_dashboard.again.audit import note
from pacer_dashboard.again.requests import may, viewer_of
from pacer_dashboard.query import Right, Viewer

SHOWN = 200
"""Letters that the page lists: the latest; all are counted."""
_VARIES = re.compile(r"'[^']*'|\"[^\"]*\"|\d+")
_LONGEST = 600
_FILTERS = ("consumer", "error", "about")
Letter = Mapping[str, Any]


@frozen
class About:
    """What roles are asked about for a letter: the type of its consumer, and what it is about."""

    type: str
    identifiers: Mapping[str, str]


def allowed(viewer: Viewer, opened: BrokerByHand, *rights: Right) -> Callable[[Letter], bool]:
    """Give what says of a letter whether a viewer has rights on it; one that nobody knows is for few."""
    types = {name: type_ for name, (type_, _) in opened.consumers.items()}

    def may_(letter: Letter) -> bool:
        about = About(types.get(letter["consumer"] or "", ""), letter["about"])
        return all(viewer.may(right, about) for right in rights)

    return may_


@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    """Show what is in the dead queues."""
    viewer = viewer_of(request)
    if not (viewer.has(Right.ACT) or viewer.has(Right.REINGEST)):  # one looks at a time: not for everybody
        raise PermissionDenied
    looked = datetime.now(UTC)
    trouble, letters, causes = "", [], Counter[tuple[str, str]]()
    number = 0
    try:
        with broker.opened() as opened:
            choice = _choice(request.GET, allowed(viewer, opened, Right.VIEW), looked)
            latest: list[tuple[str, int, Letter]] = []
            for letter in opened.letters(choice):
                number += 1
                causes[letter["consumer"] or "-", _VARIES.sub("…", letter["error"])[:_LONGEST]] += 1
                latest.append((letter["dead_at"] or "", number, letter))
                if len(latest) > 4 * SHOWN:
                    latest = nlargest(SHOWN, latest, key=lambda one: one[:2])
            letters = [one for _, _, one in nlargest(SHOWN, latest, key=lambda one: one[:2])]
            consumers = sorted(opened.consumers)
            queues = [*opened.queues]
    except PacerError as error:
        trouble, consumers, queues = str(error), [], []
    return render(
        request,
        "pacer_dashboard/dead.html",
        {
            "letters": [{"letter": one, "when": _time(one["dead_at"])} for one in letters],
            "number": number,
            "causes": causes.most_common(10),
            "consumers": consumers,
            "queues": queues,
            "asked": {name: request.GET.get(name, "") for name in _FILTERS},
            "looked": looked.isoformat(),
            "trouble": trouble,
            "may_replay": viewer.has(Right.REINGEST),
            "may_discard": viewer.has(Right.REINGEST) and viewer.has(Right.ACT),
        },
    )


@require_safe
def shown(request: HttpRequest, id_: str) -> HttpResponse:
    """Show a letter whole; its body to who may see personal data of it."""
    viewer = viewer_of(request)
    if not (viewer.has(Right.ACT) or viewer.has(Right.REINGEST)):
        raise PermissionDenied
    try:
        with broker.opened() as opened:
            choice = LetterChoice(ids=(id_,), allowed=allowed(viewer, opened, Right.VIEW))
            found = opened.letter(choice)
            personal = found is not None and allowed(viewer, opened, Right.PERSONAL)(found[0])
    except PacerError as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(reverse("dead"))
    if found is None:
        raise Http404(f"letter {id_}")
    letter, body = found
    return render(
        request,
        "pacer_dashboard/dead_letter.html",
        {
            "letter": letter,
            "when": _time(letter["dead_at"]),
            "first_seen": _time(letter["first_seen"]),
            "personal": personal,
            "body": body.decode("utf-8", "replace")[:100_000] if personal else "",
        },
    )


@require_POST
def act(request: HttpRequest) -> HttpResponse:
    """Replay or discard letters: those that are ticked, or all that the page's filter finds."""
    viewer, form = viewer_of(request), request.POST
    discards = form.get("what") == "discard"
    rights = (Right.REINGEST, Right.ACT) if discards else (Right.REINGEST,)
    if not all(may(request, right) for right in rights):
        raise PermissionDenied
    reason = form.get("reason", "").strip()
    ids = tuple(one for one in form.getlist("letter") if one)
    back = HttpResponseRedirect(f"{reverse('dead')}?{_query(form)}")
    if not reason or not (ids or form.get("all")):
        messages.error(
            request,
            gettext("Choose letters, or all of them.") if reason else gettext("Say why: it is written down."),
        )
        return back
    try:
        with broker.opened() as opened:
            # What has died since the page was shown is left out, as by the command.
            looked = _time(form.get("looked")) or datetime.now(UTC)
            choice = _choice(form, allowed(viewer, opened, *rights), looked, () if form.get("all") else ids)
            to = form.get("to") or None
            done = (
                opened.discard(choice)
                if discards
                else opened.replay(choice, to=to, pending_only=bool(form.get("pending-only")))
            )
    except PacerError as error:
        note(viewer, f"dead-{'discard' if discards else 'replay'}-failed", _said(form, ids), reason, count=0)
        messages.error(request, str(error))
        return back
    note(
        viewer,
        "dead-discard" if discards else "dead-replay",
        _said(form, ids),
        reason,
        count=done.done,
        to=to or "",
        left=dict(done.left),
    )
    _tell(request, done, discards=discards)
    return back


def _tell(request: HttpRequest, done: LettersLeft, *, discards: bool) -> None:
    word = gettext("discarded") if discards else gettext("confirmed by the broker, and sent back")
    (messages.success if done.done else messages.warning)(request, f"{done.done} {word}.")
    for reason, number in done.left.items():
        messages.error(request, f"{number} left where they are: {reason}")
    if done.restarted:
        messages.warning(
            request,
            gettext("{count} had no signature that fits, and went as new messages.").format(
                count=done.restarted
            ),
        )


def _choice(
    form: QueryDict, allowed_: Callable[[Letter], bool], looked: datetime, ids: tuple[str, ...] = ()
) -> LetterChoice:
    given = {name: form.get(name) or None for name in _FILTERS}
    # A letter whose time is unknown fits no limit of time: ids name it.
    return LetterChoice(
        ids=ids,
        consumer=given["consumer"],
        error=given["error"],
        about=given["about"],
        before=looked if "looked" in form and not ids else None,
        allowed=allowed_,
    )


def _said(form: QueryDict, ids: tuple[str, ...]) -> str:
    return f"all that fit ?{_query(form)}" if form.get("all") else ", ".join(ids)


def _query(form: QueryDict) -> str:
    kept = QueryDict(mutable=True)
    for name in _FILTERS:
        if value := form.get(name):
            kept[name] = value
    return str(kept.urlencode())


def _time(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
