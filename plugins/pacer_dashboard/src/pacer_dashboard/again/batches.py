"""Batches of messages to send again: looked at before, begun, told of, and cancelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from uuid import uuid4

from attrs import field, frozen
from django.db import IntegrityError, transaction
from django.db.models import Count, QuerySet, Sum

from pacer_dashboard.again import who
from pacer_dashboard.again.audit import note
from pacer_dashboard.again.selection import MOST, Selection
from pacer_dashboard.models import Batch, Item, Lineage
from pacer_dashboard.query import Right, Row, Viewer

FASTEST, USUAL = 100.0, 10.0
"""Messages a second: at most, and where nobody says anything else."""
_CHUNK = 500


class BadBatch(ValueError):
    """A batch cannot be begun; its text is for the person who wants it."""


@frozen
class Target:
    """Where messages go: their ``original`` exchange and key, their first ``queue``, or another ``route``."""

    kind: Batch.Target = Batch.Target.ORIGINAL
    exchange: str = ""
    routing_key: str = ""

    def of(self, row: Row) -> tuple[str, str]:
        """Give the exchange and the routing key for a message; both are empty where it has none."""
        if self.kind == Batch.Target.ROUTE:
            return self.exchange, self.routing_key
        if self.kind == Batch.Target.QUEUE:
            return "", row.queue
        return (row.exchange, row.routing_key) if row.exchange or row.routing_key else ("", row.queue)


@frozen
class Preview:
    """What would be sent, before anything is."""

    count: int
    limited: bool
    """Whether there may be more, which are left out."""
    types: Mapping[str, int]
    consumers: Mapping[str, int]
    states: Mapping[str, int]
    targets: Mapping[tuple[str, str], int]
    """By exchange and routing key; the default exchange has no name, and its routing keys are queues."""
    sent_before: int
    """How many of them have been sent again before."""
    rows: Sequence[Row] = field(factory=tuple)
    """The first of them."""

    @property
    def is_mixed(self) -> bool:
        """Whether they are of several types, or of several consumers."""
        return len(self.types) > 1 or len(self.consumers) > 1


def preview(viewer: Viewer, selection: Selection, target: Target) -> Preview:
    """Look at what a viewer may send again of a selection."""
    types: Counter[str] = Counter()
    consumers: Counter[str] = Counter()
    states: Counter[str] = Counter()
    targets: Counter[tuple[str, str]] = Counter()
    first: list[Row] = []
    ids: list[str] = []
    for row in selection.rows(viewer, Right.REINGEST):
        ids.append(row.correlation_id)
        types[row.type] += 1
        consumers[row.consumer] += 1
        states[row.state] += 1
        targets[target.of(row)] += 1
        if len(first) < 20:
            first.append(row)
    before = sum(
        Lineage.objects.filter(origin__in=ids[begin : begin + _CHUNK]).values("origin").distinct().count()
        for begin in range(0, len(ids), _CHUNK)
    )
    return Preview(
        len(ids), len(ids) >= MOST, dict(types), dict(consumers), dict(states), dict(targets), before, first
    )


def start(
    viewer: Viewer,
    selection: Selection,
    target: Target,
    reason: str,
    *,
    rate: float = USUAL,
    dry_run: bool = False,
    edit: str | None = None,
    request: str | None = None,
    mixed: bool = False,
) -> Batch:
    """Begin a batch: its items are in the database when this returns, and a runner takes them.

    ``reason`` says why, for the audit log; ``rate`` is of messages a second, at most. A ``dry_run`` does
    all but the sending. ``edit`` is the payload instead of the message's own, for one message. ``request``
    makes the form unique: sent twice, it begins one batch. ``mixed`` agrees that messages of several types or
    consumers go to one route.

    Raises
    ------
    BadBatch
        Where something is missing, or nothing is there for this viewer to send.
    """
    reason = reason.strip()
    if not reason:
        raise BadBatch("say why: the reason stands in the audit log")
    if not 0 < rate <= FASTEST:
        raise BadBatch(f"the rate is from above 0 to {FASTEST:g} messages a second")
    if target.kind == Batch.Target.ROUTE and not (target.exchange or target.routing_key):
        raise BadBatch("another route needs an exchange, or a queue as its routing key")
    if target.kind == Batch.Target.ROUTE and not viewer.has_everywhere(Right.REINGEST):
        raise BadBatch(
            "another route is for who may send any message again: others read there, of other types"
        )
    request = _own(viewer, request or uuid4().hex)
    if (there := Batch.objects.filter(request=request).first()) is not None:
        return there
    rows = [*selection.rows(viewer, Right.REINGEST)]
    if not rows:
        raise BadBatch("there is nothing that you may send again")
    if edit is not None and len(rows) != 1:
        raise BadBatch("one message can be edited, and not several")
    several = {(row.type, row.consumer) for row in rows}
    if target.kind == Batch.Target.ROUTE and len(several) > 1 and not mixed:
        raise BadBatch(
            f"messages of {len(several)} kinds would go to one route: agree to that, or choose one kind"
        )
    try:
        with transaction.atomic():
            batch = Batch.objects.create(
                request=request,
                **who.by(viewer),
                reason=reason,
                query="" if selection.filter is None else selection.filter.to_query(),
                target=target.kind,
                exchange=target.exchange,
                routing_key=target.routing_key,
                rate=rate,
                dry_run=dry_run,
                edited=edit is not None,
                total=len(rows),
            )
            items = [_item(batch, row, target, edit) for row in rows]
            for begin in range(0, len(items), _CHUNK):
                Item.objects.bulk_create(items[begin : begin + _CHUNK])
            note(
                viewer,
                "again-dry-run" if dry_run else "again",
                selection.said,
                reason,
                count=len(rows),
                batch=batch.id,
                target=str(target.kind),
                exchange=target.exchange,
                routing_key=target.routing_key,
                rate=rate,
                edited=edit is not None,
            )
    except IntegrityError:  # the form was sent twice at one moment
        return Batch.objects.get(request=request)
    return batch


def _own(viewer: Viewer, request: str) -> str:
    """Give what makes a form unique, whoever else chooses the same word."""
    name = viewer.name if viewer.account is None else f"{viewer.account}\0{viewer.token}"
    return sha256(f"{name}\0{request}".encode()).hexdigest()


def cancel(viewer: Viewer, batch: Batch) -> bool:
    """Cancel what of a batch is not sent yet; whether there was any."""
    with transaction.atomic():
        changed = Batch.objects.filter(
            id=batch.id, state__in=(Batch.State.WAITING, Batch.State.RUNNING)
        ).update(state=Batch.State.CANCELLED, cancelled_by=viewer.name, finished_at=datetime.now(UTC))
        if changed:
            left = Item.objects.filter(batch=batch, state=Item.State.WAITING).update(
                state=Item.State.CANCELLED
            )
            note(viewer, "again-cancel", f"batch {batch.id}", count=left, batch=batch.id)
    return bool(changed)


@frozen
class Progress:
    """How far a batch is; ``twice`` counts messages that may have gone out twice, after a crash."""

    total: int
    counts: Mapping[str, int]
    twice: int

    @property
    def finished(self) -> int:
        """How many have an end."""
        return self.total - self.counts.get("waiting", 0) - self.counts.get("sending", 0)


def progress(batch: Batch) -> Progress:
    """Tell how far a batch is."""
    rows = (
        Item.objects.filter(batch=batch)
        .values_list("state")
        .annotate(number=Count("*"), twice=Sum("sent_before"))
        .order_by()
    )
    counts: dict[str, int] = {}
    twice = 0
    for state, number, again in rows:
        counts[state] = number
        twice += again or 0
    return Progress(batch.total, counts, twice)


def visible(viewer: Viewer, batch: Batch) -> bool:
    """Tell whether a batch is this viewer's to see: his own, or everybody's for who sees everything."""
    return viewer.everything or who.is_own(viewer, batch)


def all_visible(viewer: Viewer) -> QuerySet[Batch]:
    """Give all batches that are this viewer's to see, the newest first."""
    found = Batch.objects.order_by("-id")
    return found if viewer.everything else found.filter(who.own(viewer))


def _item(batch: Batch, row: Row, target: Target, edit: str | None) -> Item:
    exchange, routing_key = target.of(row)
    missing = "" if exchange or routing_key else "its record names neither an exchange nor a queue"
    return Item(
        batch=batch,
        origin=row.correlation_id,
        sent_as=str(uuid4()),
        exchange=exchange,
        routing_key=routing_key,
        body=edit,
        state=Item.State.FAILED if missing else Item.State.WAITING,
        reason=missing,
    )
