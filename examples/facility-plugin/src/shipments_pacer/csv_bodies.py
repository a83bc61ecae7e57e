"""Reads bodies of CSV, as spreadsheets write them: a line of names, and a line of values."""

from __future__ import annotations

import csv
import io
from typing import Any

from pacer_core import ConsumerType, Envelope, Reject, structured
from shipments_pacer.shipments import Shipment


def read_csv(envelope: Envelope, consumer: ConsumerType) -> Any:
    """Give the message of a CSV body; ``None`` of anything else, which the next plugin is asked about."""
    if consumer.message is not Shipment or envelope.content_type != "text/csv":
        return None
    try:
        rows = list(csv.DictReader(io.StringIO(envelope.body.decode(), newline="")))
    except (UnicodeDecodeError, csv.Error):
        raise Reject("the body is not CSV in UTF-8") from None
    if len(rows) != 1:
        raise Reject(f"the body should have one line below that of the names, not {len(rows)}")
    return structured(rows[0], Shipment)
