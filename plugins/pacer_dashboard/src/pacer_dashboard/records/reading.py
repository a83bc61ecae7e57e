"""From a message's bytes to a `Record`: the format is told by what stands in it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Any

import orjson

from pacer_core import Reject
from pacer_dashboard.records import celery, delivery
from pacer_dashboard.records.record import DEFAULT_KEYS, Keys, Record


def read(
    body: bytes, headers: Mapping[str, Any] | None = None, *, zone: tzinfo = UTC, keys: Keys = DEFAULT_KEYS
) -> Record:
    """Read a record.

    Parameters
    ----------
    body, headers
        Of the message; Celery's second protocol says in the headers which task it is.
    zone
        The time zone of times that have none, as those of ICAT-PACER.
    keys
        Which identifiers hold instrument, proposal and dataset.

    Raises
    ------
    Reject
        Where it is none, with the path of the field that is wrong.
    """
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Reject(f"the record is no JSON: {error}") from None
    if isinstance(data, dict) and "format" in data:
        return delivery.read(data, keys)
    return celery.read(data, headers or {}, zone, keys)
