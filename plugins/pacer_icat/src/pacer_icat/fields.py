"""Types for fields of messages that are sent in another form than tasks see them in."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from pacer_core import Text

if TYPE_CHECKING:
    Date = datetime
    Words = str
else:
    # What the core reads; the field's converter makes of it what type checkers see above.
    Date = Text
    Words = str | None

_FORMATS = ("%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y", "%d/%m/%Y")


class NoDateError(ValueError):
    """A text that is no date in any of the formats that publishers use."""


def read_date(text: str | datetime) -> datetime:
    """Read a date, with or without a time, for a field of type `Date` with `is_date` as its validator.

    ISO 8601 with any separator, or ``7/14/2025`` and ``14/7/2025`` with or without ``HH:MM:SS``; where both
    readings are possible the month comes first, as in ICAT-PACER. Without an offset it stays naive. What is
    no date is given back as it is, since only a validator can name its field.
    """
    if isinstance(text, datetime):
        return text
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        pass
    for layout in _FORMATS:
        try:
            return datetime.strptime(text.strip(), layout)  # noqa: DTZ007 - the zone is the facility's
        except ValueError:
            continue
    return cast(datetime, text)


def is_date(_: Any, __: Any, value: Any) -> None:
    """Refuse what `read_date` could not read.

    Raises
    ------
    NoDateError
        Where it is no date.
    """
    if not isinstance(value, datetime):
        raise NoDateError("is no date")


def read_words(text: str | None) -> str:
    """Give a text that may be ``null`` without blanks at its ends, for a field of type `Words`."""
    return (text or "").strip()
