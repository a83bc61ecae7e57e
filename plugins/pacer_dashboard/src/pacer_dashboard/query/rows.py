"""What questions are answered with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from pacer_dashboard.records import Failure

if TYPE_CHECKING:
    from pacer_dashboard.models import Message, Sight

PLAIN = (
    "correlation_id",
    "arrived",
    "troubled",
    "revision",
    "type",
    "consumer",
    "queue",
    "exchange",
    "routing_key",
    "state",
    "finished",
    "attempts",
    "sights",
    "stages",
    "identifiers",
    "instrument",
    "proposal",
    "dataset",
    "group",
    "kind",
    "task",
    "reason",
    "failed_at",
    "origin",
    "text",
    "acknowledged_at",
    "acknowledged_by",
    "acknowledged_note",
)
"""What a row has of a message, as it is."""


@frozen
class Row:
    """A message in a list. All times are in UTC.

    ``state`` is ``acked``, ``retried`` or ``dead``; ``troubled`` says whether any sight of it ever failed.
    ``stages`` are dictionaries of ``consumer``, ``type``, ``queue``, ``outcome``, ``attempt``, ``sights``,
    ``first_seen``, ``finished``, ``pending`` and ``follow_ups``, the first stage first. ``kind``, ``task``,
    ``reason``, ``group`` and ``failed_at`` are those of the latest failure, also where it is over.
    """

    correlation_id: str
    arrived: datetime
    troubled: bool
    revision: int
    type: str
    consumer: str
    queue: str
    exchange: str
    routing_key: str
    state: str
    finished: datetime
    attempts: int
    sights: int
    stages: tuple[Mapping[str, Any], ...] = field(converter=tuple)
    identifiers: Mapping[str, str]
    instrument: str
    proposal: str
    dataset: str
    group: int | None
    kind: str
    task: str
    reason: str
    failed_at: datetime | None
    origin: str
    text: str
    acknowledged_at: datetime | None
    acknowledged_by: str
    acknowledged_note: str

    @property
    def failed(self) -> bool:
        """Whether it is not acknowledged by all its stages just now."""
        return self.state != "acked"

    @classmethod
    def of(cls, message: Message) -> Row:
        """Give the row of a message."""
        return cls(**{name: getattr(message, name) for name in PLAIN})


@frozen
class SightView:
    """One sight of a message, as its page shows it; ``digest`` is empty where there is no payload to see."""

    id: str
    correlation_id: str
    consumer: str
    type: str
    queue: str
    exchange: str
    routing_key: str
    outcome: str
    attempt: int
    redelivered: bool
    first_seen: datetime
    started: datetime
    finished: datetime
    identifiers: Mapping[str, str]
    timings: Mapping[str, float]
    done: tuple[str, ...]
    pending: tuple[str, ...]
    failures: tuple[Failure, ...]
    follow_ups: tuple[str, ...]
    digest: str
    payload_size: int
    content_type: str

    @classmethod
    def of(cls, sight: Sight) -> SightView:
        """Give the view of a sight."""
        detail = sight.detail
        plain = (
            "id",
            "correlation_id",
            "consumer",
            "type",
            "queue",
            "exchange",
            "routing_key",
            "outcome",
            "attempt",
            "redelivered",
            "first_seen",
            "started",
            "finished",
            "identifiers",
            "digest",
            "payload_size",
            "content_type",
        )
        return cls(
            **{name: getattr(sight, name) for name in plain},
            timings=detail["timings"],
            done=tuple(detail["done"]),
            pending=tuple(detail["pending"]),
            failures=tuple(
                Failure(
                    one["task"],
                    one["kind"],
                    one["reason"],
                    tuple((path, said) for path, said in one["fields"]),
                )
                for one in detail["failures"]
            ),
            follow_ups=tuple(detail["follow_ups"]),
        )
