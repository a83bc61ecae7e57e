"""What is said and written of a record before the database is asked: most are of a message of their own."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from pacer_dashboard.records import Fingerprint, Record, fingerprint
from pacer_dashboard.store.fold import Folded, fold
from pacer_dashboard.store.paper import Paper, Part


@frozen
class Draft:
    """A record with the ends of its rows; those of its message hold where no more is known of that."""

    record: Record
    digest: str
    print: Fingerprint | None
    """Of the failure that says most, where it failed."""
    message: Folded
    message_row: Part
    identifier_rows: tuple[Part, ...]
    sight_row: Part
    payload_row: Part | None


def draft(record: Record, paper: Paper) -> Draft:
    """Make the draft of a record."""
    message, digest = fold((record,)), record.digest
    failure = message.failure
    return Draft(
        record=record,
        digest=digest,
        print=None if failure is None else fingerprint(failure),
        message=message,
        message_row=message_row(message, paper),
        identifier_rows=identifier_rows(message, paper),
        sight_row=paper.end(_sight(record, digest)),
        payload_row=None if record.payload is None else paper.end((digest, record.payload)),
    )


def message_row(folded: Folded, paper: Paper) -> Part:
    """Give the end of the row of a message, for `rows.MESSAGES`."""
    first, failure, identifiers = folded.first, folded.failure, folded.identifiers
    return paper.end(
        (
            first.type, first.consumer, first.queue, first.exchange, first.routing_key, folded.state,
            folded.finished, folded.attempts, folded.sights, identifiers.get("instrument", ""),
            identifiers.get("proposal", ""), identifiers.get("dataset", ""),
            *(("", "", "") if failure is None else (failure.kind, failure.task, failure.reason)),
            folded.text, folded.stages, identifiers,
        )
    )  # fmt: skip


def identifier_rows(folded: Folded, paper: Paper) -> tuple[Part, ...]:
    """Give the ends of the rows of a message's identifiers, for `rows.IDENTIFIERS`."""
    return tuple([paper.end(pair) for pair in folded.identifiers.items()])


def _sight(record: Record, digest: str) -> tuple[Any, ...]:
    """Give the values of a record, for `rows.SIGHTS`."""
    detail = record.detail
    if record.origin:
        detail["origin"] = record.origin
    return (
        record.id, record.consumer, record.type, record.queue, record.exchange, record.routing_key,
        record.outcome, record.attempt, record.redelivered, record.first_seen, record.started,
        record.finished, digest, record.payload_size, record.content_type or "", dict(record.identifiers),
        detail,
    )  # fmt: skip
