"""A record as it came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen


@frozen
class Parcel:
    """The bytes of a record, and the headers of its message."""

    body: bytes
    headers: Mapping[str, Any] = field(factory=dict)
