"""JSON, numbers, dates and units as the backend's JavaScript has them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

_DATE = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
    r"(T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d([.,]\d+)?)?(Z|[+-]([01]\d|2[0-3]):?[0-5]\d)?)?"
)
_EMAIL = re.compile(r"[^@\s;,<>()]+@([a-z0-9-]+\.)+[a-z]{2,}", re.IGNORECASE)
_SAFE = 2**53

_UNITS = {
    **dict.fromkeys(
        ("m", "K", "kg", "s", "A", "mol", "cd", "rad", "Hz", "N", "Pa", "J", "W", "V", "T"), None
    ),
    "km": (1e3, "m"),
    "cm": (1e-2, "m"),
    "mm": (1e-3, "m"),
    "um": (1e-6, "m"),
    "nm": (1e-9, "m"),
    "g": (1e-3, "kg"),
    "mg": (1e-6, "kg"),
    "ms": (1e-3, "s"),
    "us": (1e-6, "s"),
    "min": (60.0, "s"),
}
"""Units that the stand-in turns into SI's; the backend knows more, and leaves what it does not know."""


def read_json(body: bytes) -> Any:
    """Read a body as the backend does.

    Raises
    ------
    ValueError
        In the words of JavaScript's engine.
    """
    text = body.decode("utf-8-sig", "replace")
    return _read(text)


def _read(text: str) -> Any:
    def constant(name: str) -> Any:
        place = re.search(rf"(?<![\w\"]){re.escape(name)}(?![\w\"])", text)
        raise ValueError(_unexpected(text, place.start() if place else 0))

    try:
        return json.loads(text, parse_constant=constant)
    except json.JSONDecodeError as error:
        if error.pos >= len(text):
            raise ValueError(
                f"Expected double-quoted property name in JSON at position {error.pos}"
                if text.rstrip().endswith(",")
                else "Unexpected end of JSON input"
            ) from None
        if error.msg.startswith("Expecting property name"):
            first = text[: error.pos].rstrip().endswith("{")
            wanted = "property name or '}'" if first else "double-quoted property name"
            raise ValueError(f"Expected {wanted} in JSON at position {error.pos}") from None
        raise ValueError(_unexpected(text, error.pos)) from None


def _unexpected(text: str, place: int) -> str:
    near = text[max(0, place - 10) : place + 10]
    return f"Unexpected token '{text[place]}', ...\"{near}\"... is not valid JSON"


def number(value: Any) -> Any:
    """Give a number as it comes back: integers beyond 2^53 lose their last digits (A8, 15)."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _SAFE:
        return int(Decimal(repr(float(value))))
    return value


def is_date(value: Any) -> bool:
    """Tell whether something is a date by ISO 8601, with a T before the time (A8, 16)."""
    return isinstance(value, str) and _DATE.fullmatch(value) is not None


def date(value: Any) -> str | None:
    """Give a date as it comes back: UTC, in milliseconds; what is none becomes null."""
    if not is_date(value):
        return None
    text = re.sub(r"([.,]\d{1,6})\d*", r"\1", value).replace(",", ".")
    found = datetime.fromisoformat(text)
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return found.strftime("%Y-%m-%dT%H:%M:%S.") + f"{found.microsecond // 1000:03d}Z"


def now() -> str:
    """Give the time as the backend writes it."""
    found = datetime.now(UTC)
    return found.strftime("%Y-%m-%dT%H:%M:%S.") + f"{found.microsecond // 1000:03d}Z"


def is_email(value: Any) -> bool:
    """Tell whether something is one address with a domain that has a dot."""
    return isinstance(value, str) and _EMAIL.fullmatch(value) is not None


def is_emails(value: Any) -> bool:
    """Tell whether something is one address, or several with semicolons between them."""
    return isinstance(value, str) and all(is_email(one.strip()) for one in value.split(";"))


def metadata(given: Any) -> Any:
    """Give metadata as they are stored: as an object, quantities with their SI values (A8, 17)."""
    if given is None:
        return None
    if isinstance(given, str):
        return {str(place): letter for place, letter in enumerate(given)}
    if not isinstance(given, Mapping):
        return {}
    return {key.replace("%2E", "."): _quantity(value) for key, value in given.items()}


def _quantity(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return number(value)
    if "value" not in value:
        return {key: _quantity(inner) for key, inner in value.items()}
    found = {key: number(inner) for key, inner in value.items()}
    unit = value.get("unit")
    if not isinstance(unit, str) or not unit or isinstance(value["value"], list | Mapping | bool):
        return found
    amount = _amount(value["value"])
    if amount is None and value["value"] is not None:
        return found
    return {**found, **dict(zip(("valueSI", "unitSI"), _si(amount, unit), strict=True))}


def _amount(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        found = float(value)
    except ValueError:
        return None
    return int(found) if found.is_integer() else found


def _si(amount: Any, unit: str) -> tuple[Any, str]:
    if unit == "degC":
        return None if amount is None else amount + 273.15, "K"
    known = _UNITS.get(unit)
    if known is None:
        return amount, unit
    factor, base = known
    return None if amount is None else amount * factor, base
