"""The consumer type ``dashboard-records``: it stores what became of messages."""

from __future__ import annotations

from pacer_core import ConsumerType, Context, Envelope, task
from pacer_dashboard.integration import DASHBOARD_STORE
from pacer_dashboard.records.parcel import Parcel


@task(needs=[DASHBOARD_STORE], counts=("records", "duplicates"))
def store_record(parcel: Parcel, ctx: Context) -> None:
    """Store a record, together with what others store just now; done when it is committed.

    Storing it again changes nothing. A record that cannot be read is rejected with the fields that are wrong.
    """
    new = ctx[DASHBOARD_STORE].store(parcel)
    ctx.count("records" if new else "duplicates")


def read_record(envelope: Envelope) -> Parcel:
    """Give a record as it came; how it is read is the integration's to say."""
    return Parcel(envelope.body, envelope.headers)


RECORDS = ConsumerType(name="dashboard-records", message=Parcel, tasks=[store_record])
"""Reads the queue of records, in ICAT-PACER's format and in PACER's."""
