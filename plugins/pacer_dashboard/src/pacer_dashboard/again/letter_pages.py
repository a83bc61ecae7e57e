"""Pages of the dead queues: what is in them, a letter whole, and the form that replays and discards."""

from __future__ import annotations

from datetime import UTC, datetime

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from pacer_core import LettersLeft, PacerError
from pacer_dashboard.access.asking import viewer_of
from pacer_dashboard.again import letters
from pacer_dashboard.pages.payload import show
from pacer_dashboard.query import NotVisible, Right

_FILTERS = ("consumer", "error", "about")


@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    """Show what is in the dead queues."""
    viewer = viewer_of(request)
    if not letters.sees(viewer):
        raise PermissionDenied
    looked, trouble, found = datetime.now(UTC), "", letters.Looked()
    try:
        found = letters.look(viewer, _asked(request.GET))
    except PacerError as error:
        trouble = str(error)
    return render(
        request,
        "pacer_dashboard/dead.html",
        {
            "letters": [{"letter": one, "when": _time(one["dead_at"])} for one in found.letters],
            "found": found,
            "asked": {name: request.GET.get(name, "") for name in _FILTERS},
            "looked": looked.isoformat(),
            "trouble": trouble,
            "may_replay": letters.may(viewer, "replay"),
            "may_route": viewer.has_everywhere(Right.REINGEST),
            "may_discard": letters.may(viewer, "discard"),
        },
    )


@require_safe
def shown(request: HttpRequest, id_: str) -> HttpResponse:
    """Show a letter whole; its body to who may see personal data of it."""
    viewer = viewer_of(request)
    if not letters.sees(viewer):
        raise PermissionDenied
    try:
        letter, body = letters.letter(viewer, id_)
    except NotVisible as why:
        raise Http404(str(why)) from None
    except PacerError as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(reverse("dead"))
    return render(
        request,
        "pacer_dashboard/dead_letter.html",
        {
            "letter": letter,
            "when": _time(letter["dead_at"]),
            "first_seen": _time(letter["first_seen"]),
            "payload": None if body is None else show(body),
        },
    )


@require_POST
def act(request: HttpRequest) -> HttpResponse:
    """Replay or discard letters: those that are ticked, or all that the page's filter finds."""
    viewer, form = viewer_of(request), request.POST
    what: letters.What = "discard" if form.get("what") == "discard" else "replay"
    if not letters.may(viewer, what):
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
    order = letters.Order(
        what=what,
        reason=reason,
        ids=() if form.get("all") else ids,
        # What has died since the page was shown is left out, as by the command.
        asked=_asked(form, _time(form.get("looked")) or datetime.now(UTC)),
        to=form.get("to") or None,
        pending_only=bool(form.get("pending-only")),
        said=f"all that fit ?{_query(form)}" if form.get("all") else ", ".join(ids),
    )
    try:
        _tell(request, letters.act(viewer, order), discards=what == "discard")
    except PacerError as error:
        messages.error(request, str(error))
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


def _asked(form: QueryDict, before: datetime | None = None) -> letters.Asked:
    consumer, error, about = (form.get(name) or None for name in _FILTERS)
    return letters.Asked(consumer, error, about, before)


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
