"""Pages of batches: begin one, look at its preview, see it go, cancel it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST, require_safe

from pacer_dashboard.access.asking import viewer_of
from pacer_dashboard.again import batches, bodies, broker, host
from pacer_dashboard.again.editing import BadEdit, edited, form_of
from pacer_dashboard.again.requests import LARGEST
from pacer_dashboard.again.selection import MOST, BadSelection, Selection
from pacer_dashboard.models import Batch, Item
from pacer_dashboard.query import BadFilter, NotVisible, Right, Viewer, life

SIZE = 50
_SHOWN = 200
_CARRIED = ("id", "all", "query")


@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    """Show the batches: a person's own, and everybody's to who sees everything."""
    viewer = viewer_of(request)
    if not viewer.has(Right.REINGEST):
        raise PermissionDenied
    page = Paginator(batches.all_visible(viewer), SIZE).get_page(request.GET.get("page"))
    rows = [{"batch": one, "progress": batches.progress(one)} for one in page]
    return render(
        request,
        "pacer_dashboard/again.html",
        {"rows": rows, "page": page, "trouble": broker.trouble()},
    )


@require_safe
def one(request: HttpRequest) -> HttpResponse:
    """Begin with one message, whose payload may be edited."""
    viewer = viewer_of(request)
    try:
        row = life.row(viewer, request.GET.get("id", ""), Right.REINGEST)
    except NotVisible as why:
        raise Http404(str(why)) from None
    form = QueryDict(mutable=True)
    form["id"] = row.correlation_id
    return _form(request, viewer, form)


@require_POST
def new(request: HttpRequest) -> HttpResponse:
    """Begin with messages that were chosen in a list, look at them again, or send them."""
    viewer = viewer_of(request)
    if not viewer.has(Right.REINGEST):
        raise PermissionDenied
    if "send" not in request.POST:
        return _form(request, viewer, request.POST)
    try:
        batch = _start(viewer, request.POST)
    except (batches.BadBatch, BadEdit, BadSelection, BadFilter) as error:
        return _form(request, viewer, request.POST, str(error))
    except NotVisible as why:
        raise Http404(str(why)) from None
    host.wake()
    return HttpResponseRedirect(reverse("again-batch", args=(batch.id,)))


@require_safe
def shown(request: HttpRequest, id_: int) -> HttpResponse:
    """Show a batch and its items; a part of the page asks for itself as long as it goes."""
    viewer = viewer_of(request)
    batch = _batch(viewer, id_)
    going = batch.state in (Batch.State.WAITING, Batch.State.RUNNING)
    if going:
        host.wake()
    state = request.GET.get("state", "")
    items = Item.objects.filter(batch=batch).order_by("id")
    if state in Item.State.values:
        items = items.filter(state=state)
    progress = batches.progress(batch)
    return render(
        request,
        "pacer_dashboard/again_progress.html"
        if "HX-Request" in request.headers
        else "pacer_dashboard/again_batch.html",
        {
            "batch": batch,
            "progress": progress,
            "counts": [(name, progress.counts.get(name, 0)) for name in Item.State.values],
            "items": Paginator(items, _SHOWN).get_page(request.GET.get("page")),
            "chosen": state,
            "going": going,
            "failed": progress.counts.get("failed", 0),
        },
    )


@require_POST
def cancel(request: HttpRequest, id_: int) -> HttpResponse:
    """Cancel what is not sent yet."""
    viewer = viewer_of(request)
    batch = _batch(viewer, id_)
    if batches.cancel(viewer, batch):
        messages.success(request, gettext("Cancelled: what was not sent yet stays as it is."))
    return HttpResponseRedirect(reverse("again-batch", args=(batch.id,)))


@require_POST
def failed(request: HttpRequest, id_: int) -> HttpResponse:
    """Begin anew with what has failed in a batch."""
    viewer = viewer_of(request)
    batch = _batch(viewer, id_)
    ids = Item.objects.filter(batch=batch, state=Item.State.FAILED).values_list("origin", flat=True)
    form = QueryDict(mutable=True)
    form.setlist("id", [*ids[:1000]])
    form["target"], form["exchange"], form["key"] = batch.target, batch.exchange, batch.routing_key
    form["reason"] = batch.reason
    return _form(request, viewer, form)


def _batch(viewer: Viewer, id_: int) -> Batch:
    batch = Batch.objects.filter(id=min(id_, LARGEST)).first()
    if batch is None or not batches.visible(viewer, batch):
        raise Http404(f"batch {id_}")
    return batch


def _start(viewer: Viewer, form: QueryDict) -> Batch:
    selection = Selection.read(form)
    edit = None
    if form.get("edit"):
        if len(selection.ids) != 1:
            raise batches.BadBatch(gettext("one message can be edited, and not several"))
        row = life.row(viewer, selection.ids[0], Right.PERSONAL)
        before = bodies.payload(row.correlation_id) or ""
        now = edited(form.get("payload", ""), before)
        edit = None if now == before.replace("\r\n", "\n") else now
    try:
        rate = float(form.get("rate") or batches.USUAL)
    except ValueError:
        raise batches.BadBatch(gettext("the rate should be a number")) from None
    return batches.start(
        viewer,
        selection,
        _target(form),
        form.get("reason", ""),
        rate=rate,
        dry_run=bool(form.get("dry-run")),
        edit=edit,
        request=form.get("request"),
        mixed=bool(form.get("mixed")),
    )


def _target(form: QueryDict) -> batches.Target:
    kind = form.get("target", "original")
    if kind not in Batch.Target.values:
        raise batches.BadBatch(gettext("there is no such target"))
    return batches.Target(
        Batch.Target(kind), form.get("exchange", "").strip()[:255], form.get("key", "").strip()[:255]
    )


def _form(request: HttpRequest, viewer: Viewer, form: QueryDict, wrong: str = "") -> HttpResponse:
    try:
        selection, target = Selection.read(form), _target(form)
        preview = batches.preview(viewer, selection, target)
    except (BadSelection, BadFilter, batches.BadBatch) as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(reverse("again"))
    context: dict[str, Any] = {
        "preview": preview,
        "most": MOST,
        "carried": [(name, value) for name in _CARRIED for value in form.getlist(name)],
        "target": target,
        "reason": form.get("reason", ""),
        "rate": form.get("rate") or f"{batches.USUAL:g}",
        "fastest": f"{batches.FASTEST:g}",
        "dry_run": bool(form.get("dry-run")),
        "request_id": form.get("request") or uuid4().hex,
        "wrong": wrong,
        "trouble": broker.trouble(),
        "may_route": viewer.has_everywhere(Right.REINGEST),
        "found": ngettext("{count} message", "{count} messages", preview.count).format(count=preview.count),
        **_editable(viewer, preview, form),
    }
    return render(request, "pacer_dashboard/again_new.html", context, status=400 if wrong else 200)


def _editable(viewer: Viewer, preview: batches.Preview, form: QueryDict) -> dict[str, Any]:
    """Give the payload of a single message, to who may see it."""
    if preview.count != 1 or not viewer.may(Right.PERSONAL, row := preview.rows[0]):
        return {}
    before = bodies.payload(row.correlation_id)
    if before is None:
        return {"unkept": True}
    return {"payload": form.get("payload", before), "form": form_of(before)}
