"""One message, with all that became of it."""

from __future__ import annotations

from datetime import timedelta

from attrs import evolve, frozen
from django.db.models import Q, QuerySet

from pacer_dashboard import models
from pacer_dashboard.query import where
from pacer_dashboard.query.errors import NotVisible
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.rows import Row, SightView
from pacer_dashboard.query.viewer import Right, Viewer

_MOST = 1000  # sights of a life, or messages made from it, that a page shows
_SKEW = timedelta(days=31)  # by which clocks may differ, for a message to come before its origin


@frozen
class Life:
    """A message with its sights, in the order in which they finished.

    ``origin`` is the message that it was sent again from, and ``again`` are those that were sent again from
    it; both only where the viewer may see them.
    """

    message: Row
    sights: tuple[SightView, ...]
    origin: Row | None
    again: tuple[Row, ...]


def row(viewer: Viewer, correlation_id: str, right: Right = Right.VIEW) -> Row:
    """Give a message on which a viewer has a right.

    Raises
    ------
    NotVisible
        Where there is none.
    """
    found = _find(viewer, correlation_id, right)
    if found is None:
        raise NotVisible(f"message {correlation_id}")
    return found


def life(viewer: Viewer, correlation_id: str) -> Life:
    """Give a message with its sights, and the messages that it was made from and into.

    Raises
    ------
    NotVisible
        Where there is none, or it is not for this viewer.
    """
    message = row(viewer, correlation_id)
    sights = [SightView.of(one) for one in _sights(message)[:_MOST]]
    if not viewer.may(Right.PERSONAL, message):
        sights = [evolve(one, digest="") for one in sights]
    allowed = where.visible(viewer, Filter())
    later = Q(origin=correlation_id, arrived__gte=message.arrived - _SKEW)
    again = models.Message.objects.filter(allowed & later).order_by("arrived")[:_MOST]
    return Life(
        message=message,
        sights=tuple(sights),
        origin=_find(viewer, message.origin, Right.VIEW) if message.origin else None,
        again=tuple(map(Row.of, again)),
    )


def payload(viewer: Viewer, correlation_id: str, sight_id: str) -> bytes:
    """Give the payload of a sight, for whoever may see personal data of its message.

    Raises
    ------
    NotVisible
        Where there is none: no such message or sight, no right, or none was kept.
    """
    message = row(viewer, correlation_id, Right.PERSONAL)
    sight = _sights(message).filter(id=sight_id).first()
    body = None
    if sight is not None and sight.digest:
        body = (
            models.Payload.objects.filter(
                arrived=message.arrived,
                correlation_id=correlation_id,
                troubled=message.troubled,
                digest=sight.digest,
            )
            .values_list("body", flat=True)
            .first()
        )
    if body is None:
        raise NotVisible(f"payload of {sight_id}")
    return body.encode()


def _find(viewer: Viewer, correlation_id: str, right: Right) -> Row | None:
    place = models.Life.objects.filter(correlation_id=correlation_id).first()
    if place is None:
        return None
    allowed = where.visible(viewer, Filter(), right)
    found = models.Message.objects.filter(
        allowed, arrived=place.arrived, correlation_id=correlation_id, troubled=place.troubled
    ).first()
    return None if found is None else Row.of(found)


def _sights(message: Row) -> QuerySet[models.Sight]:
    return models.Sight.objects.filter(
        arrived=message.arrived, correlation_id=message.correlation_id, troubled=message.troubled
    ).order_by("finished", "attempt", "id")
