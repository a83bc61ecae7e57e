"""Sends what batches hold: whoever holds a batch's lease, item by item, never before it is written down.

Each item is ``sending`` in the database before it is published, and ``sent`` only after the broker has
confirmed it. After a kill -9 the lease runs out, and another runner goes on: what it finds ``sending`` it
sends, maybe for the second time, and says so.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from pacer_core import BrokerByHand, NotTakenError, PacerError, Posting
from pacer_dashboard.access.viewers import viewer_again
from pacer_dashboard.again import bodies, broker
from pacer_dashboard.models import Batch, Item, Lineage
from pacer_dashboard.query import NotVisible, Right, Viewer, life

log = logging.getLogger("pacer.dashboard.again")

LEASE = timedelta(seconds=30)
"""For how long a batch is a runner's that has said nothing more."""
TOGETHER = 50
"""Items that are published before their confirms are awaited, at most."""
BACKOFF = (1.0, 2.0, 5.0, 15.0, 30.0)
"""Seconds until a broker that is away is tried again."""
ORIGIN, BATCH, TIMES = "pacer-again-origin", "pacer-again-batch", "pacer-again-times"
"""Headers of a message that is sent again: whose life it repeats, by which batch, and how often by now."""

PATIENCE = 120.0
"""Seconds after which a broker that is away is given up: what is not sent has failed, and says so."""
_NOT_EVEN = "cannot connect"  # how the core's errors begin where nothing can have gone out
_WITHDRAWN = "who began the batch may not send this message again any more"
_TWICE = "it may have been sent twice: a process or a connection was lost while it was sent"

Stop = Callable[[], bool]


class LostError(Exception):
    """Somebody else holds the batch now, or it was cancelled."""


def work_off(stop: Stop = lambda: False, *, lease: timedelta = LEASE, patience: float = PATIENCE) -> int:
    """Send what all batches hold that are nobody's; give how many batches that were."""
    done = 0
    while not stop():
        holder = f"{socket.gethostname()[:20]}/{os.getpid()}/{uuid4().hex[:12]}"
        batch = _take(holder, lease)
        if batch is None:
            break
        done += 1
        with _held(batch.id, holder, lease), contextlib.suppress(LostError):
            _send_all(batch, holder, stop, patience)
        _let_go(batch.id, holder)
    return done


def _take(holder: str, lease: timedelta) -> Batch | None:
    """Take the oldest batch that nobody holds."""
    free = Q(held_until=None) | Q(held_until__lt=Now())
    unfinished = Q(state__in=(Batch.State.WAITING, Batch.State.RUNNING))
    for id_ in Batch.objects.filter(free & unfinished).order_by("id").values_list("id", flat=True)[:10]:
        mine = Batch.objects.filter(free & unfinished, id=id_).update(
            holder=holder, held_until=Now() + lease, state=Batch.State.RUNNING
        )
        if mine:
            return Batch.objects.get(id=id_)
    return None


@contextlib.contextmanager
def _held(id_: int, holder: str, lease: timedelta) -> Iterator[None]:
    """Say anew that the batch is ours for as long as this process lives, whatever it waits for."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(lease.total_seconds() / 4):
            try:
                Batch.objects.filter(id=id_, holder=holder).update(held_until=Now() + lease)
            except Exception:  # the database is away: the lease may run out, and another goes on
                log.warning("the lease of batch %d is not renewed", id_, exc_info=True)
        connection.close()

    thread = threading.Thread(target=renew, name=f"lease-{id_}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _let_go(id_: int, holder: str) -> None:
    Batch.objects.filter(id=id_, holder=holder).update(holder="", held_until=None)


def _send_all(batch: Batch, holder: str, stop: Stop, patience: float) -> None:
    _find_again(batch)
    failures, due = 0, time.monotonic()
    since: float | None = None
    with contextlib.ExitStack() as stack:
        try:
            opened = None if batch.dry_run else stack.enter_context(broker.opened())
        except PacerError as error:
            _give_up(batch, holder, str(error))
            return
        while _are_left(batch) and not _waited(due, stop):
            items = _next(batch, holder)  # after the wait: what is marked as being sent is in doubt if we die
            due = max(due, time.monotonic()) + len(items) / batch.rate
            away = _send(batch, holder, items, opened)
            if not away:
                failures, since = 0, None
                continue
            since = since or time.monotonic()
            if time.monotonic() - since >= patience:
                _give_up(batch, holder, away)
                return
            due = max(due, time.monotonic() + BACKOFF[min(failures, len(BACKOFF) - 1)])
            failures += 1
        if not stop():
            _finish(batch, holder)


def _are_left(batch: Batch) -> bool:
    return Item.objects.filter(batch=batch, state=Item.State.WAITING).exists()


def _find_again(batch: Batch) -> None:
    """Take up what another runner was sending when it died."""
    Item.objects.filter(batch=batch, state=Item.State.SENDING).update(
        state=Item.State.WAITING, sent_before=F("sent_before") + 1
    )


def _next(batch: Batch, holder: str) -> list[Item]:
    """Mark the next items as being sent, with what their new lives are made from; before they are."""
    number = max(1, min(TOGETHER, round(batch.rate)))
    with transaction.atomic():
        ours = Batch.objects.filter(id=batch.id, holder=holder, state=Batch.State.RUNNING)
        if not ours.update(holder=holder):  # which changes nothing, and keeps others from taking it meanwhile
            raise LostError
        items = [*Item.objects.filter(batch=batch, state=Item.State.WAITING).order_by("id")[:number]]
        if not batch.dry_run:
            Item.objects.filter(id__in=[one.id for one in items]).update(state=Item.State.SENDING)
            now = datetime.now(UTC)
            Lineage.objects.bulk_create(
                [Lineage(correlation_id=one.sent_as, origin=one.origin, at=now) for one in items],
                ignore_conflicts=True,
            )
    return items


def _send(batch: Batch, holder: str, items: Sequence[Item], opened: BrokerByHand | None) -> str:
    """Send items and write down what became of each; say why the broker is away, if it is."""
    postings: list[tuple[Item, Posting]] = []
    viewer = viewer_again(batch.account, batch.token, batch.actor)
    for item, found in zip(items, bodies.of(items), strict=True):
        if isinstance(found, str):
            item.state, item.reason = Item.State.FAILED, found
        elif not _may(viewer, batch, item):
            item.state, item.reason = Item.State.FAILED, _WITHDRAWN
        elif batch.dry_run:
            item.state = Item.State.WOULD
        else:
            postings.append((item, _posting(batch, item, found)))
    away = ""
    said = [] if opened is None else opened.publish_each([one for _, one in postings])
    for (item, _), error in zip(postings, said, strict=True):
        if error is None:
            item.state = Item.State.SENT
            item.reason = _TWICE if item.sent_before else ""
        elif isinstance(error, NotTakenError):
            item.state, item.reason = Item.State.FAILED, str(error)
        else:
            item.state, item.reason = Item.State.WAITING, str(error)
            item.sent_before += not item.reason.startswith(_NOT_EVEN)
            away = item.reason
    _write_down(batch, holder, items, away)
    return away


def _may(viewer: Viewer, batch: Batch, item: Item) -> bool:
    """Tell whether who began the batch may send this message again now: a change of roles holds at once."""
    if viewer.everything:
        return True
    if batch.target == Batch.Target.ROUTE and not viewer.has_everywhere(Right.REINGEST):
        return False
    try:
        life.row(viewer, item.origin, Right.REINGEST)
    except NotVisible:
        return False
    return True


def _posting(batch: Batch, item: Item, body: bodies.Body) -> Posting:
    headers = {
        **body.headers,
        ORIGIN: item.origin,
        BATCH: str(batch.id),
        TIMES: bodies.times(item.origin) + 1,
    }
    return Posting(item.exchange, item.routing_key, body.data, headers, body.content_type, item.sent_as)


def _write_down(batch: Batch, holder: str, items: Sequence[Item], trouble: str) -> None:
    now = datetime.now(UTC)
    with transaction.atomic():
        # Who has been too slow for his lease has lost his word: the next one sends what was in doubt.
        if not Batch.objects.filter(id=batch.id, holder=holder).update(trouble=trouble):
            raise LostError
        for item in items:
            item.at = now
        Item.objects.bulk_update(items, ["state", "reason", "at", "sent_before"])
        never = [one.sent_as for one in items if one.state == Item.State.FAILED]
        Lineage.objects.filter(correlation_id__in=never).delete()
        if Batch.objects.filter(id=batch.id, state=Batch.State.CANCELLED).exists():
            Item.objects.filter(batch=batch, state=Item.State.WAITING).update(state=Item.State.CANCELLED)


def _give_up(batch: Batch, holder: str, why: str) -> None:
    """Let all that is not sent have failed, and the batch be at its end, where it is still ours."""
    with transaction.atomic():
        if not Batch.objects.filter(id=batch.id, holder=holder, state=Batch.State.RUNNING).update(
            state=Batch.State.DONE, finished_at=datetime.now(UTC), trouble=why
        ):
            raise LostError
        left = Item.objects.filter(batch=batch, state=Item.State.WAITING)
        Lineage.objects.filter(correlation_id__in=left.filter(sent_before=0).values("sent_as")).delete()
        left.update(state=Item.State.FAILED, reason=why, at=datetime.now(UTC))
    log.warning("batch %d is given up: %s", batch.id, why)


def _finish(batch: Batch, holder: str) -> None:
    Batch.objects.filter(id=batch.id, holder=holder, state=Batch.State.RUNNING).update(
        state=Batch.State.DONE, finished_at=datetime.now(UTC), trouble=""
    )


def _waited(until: float, stop: Stop) -> bool:
    """Wait until a time; tell whether to stop, which ends the wait."""
    while not (stopped := stop()) and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, 0.1))
    return stopped
