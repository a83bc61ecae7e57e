"""The consumer type ``dashboard-records``: it stores what became of messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pacer_core import ConsumerType, Context, Envelope, task
from pacer_dashboard.integration import DASHBOARD_STORE
from pacer_dashboard.records.parcel import Parcel


@task(many=500, needs=[DASHBOARD_STORE], counts=("records", "duplicates"))
def store_record(given: Sequence[tuple[Parcel, Context]]) -> Iterator[Exception | None]:
    """Store records, in one transaction; they are done when that is committed.

    Storing one again changes nothing. One that cannot be read is rejected with the fields that are wrong.
    """
    ends = given[0][1][DASHBOARD_STORE].store([parcel for parcel, _ in given])
    for (_, ctx), end in zip(given, ends, strict=True):
        if isinstance(end, Exception):
            yield end
        else:
            ctx.count("records" if end else "duplicates")
            yield None


def read_record(envelope: Envelope) -> Parcel:
    """Give a record as it came; how it is read is the integration's to say."""
    return Parcel(envelope.body, envelope.headers)


RECORDS = ConsumerType(name="dashboard-records", message=Parcel, tasks=[store_record])
"""Reads the queue of records, in ICAT-PACER's format and in PACER's."""
