"""What answers are made of. Fields are added, and never renamed or taken away, within one version."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from ninja import Schema
from pydantic import Field


class MessageOut(Schema):
    """A message, with its stages folded into it. All times are in UTC."""

    correlation_id: str
    arrived: datetime
    finished: datetime
    state: str = Field(description="acked, retried or dead")
    troubled: bool = Field(description="whether any sight of it ever failed")
    type: str
    consumer: str
    queue: str
    exchange: str
    routing_key: str
    attempts: int
    sights: int
    stages: list[dict[str, Any]]
    identifiers: dict[str, str]
    instrument: str
    proposal: str
    dataset: str
    group: int | None
    kind: str
    task: str
    reason: str
    failed_at: datetime | None
    origin: str
    acknowledged_at: datetime | None
    acknowledged_by: str
    acknowledged_note: str
    revision: int


class PageOut(Schema):
    """A page of messages, newest first; ``older`` goes to ``after``, and ``newer`` to ``before``."""

    rows: list[MessageOut]
    older: str | None
    newer: str | None


class EstimateOut(Schema):
    """How many there are."""

    number: int
    exact: bool


class FailureOut(Schema):
    """Why a task failed."""

    task: str
    kind: str
    reason: str
    fields: list[tuple[str, str]]


class SightOut(Schema):
    """One delivery of a message to a consumer."""

    id: str
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
    identifiers: dict[str, str]
    timings: dict[str, float] = Field(description="seconds by task")
    done: list[str]
    pending: list[str]
    failures: list[FailureOut]
    follow_ups: list[str]
    payload_size: int
    content_type: str
    digest: str = Field(description="of the payload, where there is one for you to see")


class LifeOut(Schema):
    """A message with all its sights, what it was sent again from, and what was made from it."""

    message: MessageOut
    sights: list[SightOut]
    origin: MessageOut | None
    again: list[MessageOut]


class ChangeOut(Schema):
    """A line; its number on each side, where it is there."""

    kind: Literal["same", "plus", "minus", "gap"] = Field(
        description="gap: lines are left out that are the same"
    )
    text: str
    old: int | None
    new: int | None


class DifferenceOut(Schema):
    """How two payloads differ, line by line after both were indented; without lines they do not."""

    left: str
    right: str
    lines: list[ChangeOut]
    cut: bool = Field(description="whether only their beginnings were compared")


class GroupOut(Schema):
    """An error group; counts are of what you see."""

    id: int
    task: str
    kind: str
    title: str
    status: str
    status_by: str
    status_at: datetime | None
    status_note: str
    regressed_at: datetime | None
    first_seen: datetime
    last_seen: datetime
    count: int
    days: list[int]
    merged: list[int]


class GroupPageOut(Schema):
    """Some groups, that with the latest failure first."""

    groups: list[GroupOut]
    more: bool


class TouchedOut(Schema):
    """Whom and what a group has touched, with how many messages."""

    proposals: list[tuple[str, int]]
    instruments: list[tuple[str, int]]
    users: list[tuple[str, int]]
    messages: int


class TimesOut(Schema):
    """Percentiles in seconds."""

    p50: float | None
    p95: float | None
    p99: float | None


class NumbersOut(Schema):
    """What happened in a span."""

    messages: int
    acked: int
    retried: int
    dead: int
    sights: int
    errors: int
    error_rate: float
    processing: TimesOut
    queueing: TimesOut


class StatisticsOut(Schema):
    """Numbers by what they are of; ``complete`` is false where there was too much to count."""

    lines: dict[str, NumbersOut]
    complete: bool


class PointOut(Schema):
    """One bucket."""

    begin: datetime
    numbers: NumbersOut


class SeriesOut(Schema):
    """Numbers over time, by what they are of."""

    step: str
    lines: dict[str, list[PointOut]]
    complete: bool


class ChangesOut(Schema):
    """What is new or has changed; ask again with ``revision``."""

    rows: list[MessageOut]
    gone: list[str] = Field(description="ids of messages that the filter does not find any more")
    revision: int
    more: bool


class CountsOut(Schema):
    """Of the last day, by whole hours: messages that arrived, and deliveries that failed."""

    messages: int
    errors: int


class MeOut(Schema):
    """Who you are to the dashboard."""

    name: str
    everything: bool
    rules: list[dict[str, Any]]
