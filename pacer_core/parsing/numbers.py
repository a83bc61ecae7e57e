"""Numbers and truth values as JSON and XML Schema (part 2) write them: for the core, and for every plugin."""

from __future__ import annotations

import math
import re
from typing import Any

_BLANKS = " \t\r\n"  # XML Schema's whitespace; Python's would take other blanks as well
_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_LARGEST = 2**63
_EXACT = 2**53
_LONGEST_INTEGER, _LONGEST_NUMBER = 40, 4096  # characters: far longer ones take quadratic time, or are a joke
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def read_integer(value: Any) -> int | None:
    """Give a whole number of 64 bits, out of a number or a text that says one; ``None`` where it is none.

    No catalogue stores a larger one, and JSON's readers round it. JSON's ``7.0`` is the number 7; the text
    ``"7.0"`` is no integer of XML Schema. What Python's ``int`` takes beyond these (``"1_000"``, digits of
    other scripts, truth values) is none.
    """
    if isinstance(value, str):
        text = value.strip(_BLANKS)
        value = int(text) if len(text) <= _LONGEST_INTEGER and _INTEGER.fullmatch(text) else None
    elif isinstance(value, float):
        value = int(value) if abs(value) <= _EXACT and value.is_integer() else None
    if isinstance(value, int) and not isinstance(value, bool) and -_LARGEST <= value < _LARGEST:
        return value
    return None


def read_number(value: Any) -> float | None:
    """Give a finite number, out of a number or a text that says one; ``None`` where it is none.

    What Python's ``float`` takes beyond XML Schema's ``double`` (``"1_000"``, ``"infinity"``, digits of other
    scripts, truth values) is none, and neither are ``INF`` and ``NaN``, which no catalogue holds.
    """
    if isinstance(value, str):
        text = value.strip(_BLANKS)
        value = float(text) if len(text) <= _LONGEST_NUMBER and _NUMBER.fullmatch(text) else None
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def read_truth(value: Any) -> bool | None:
    """Give a truth value, out of one, of 0 or 1, or of a text that says one of these; else ``None``."""
    if isinstance(value, str):
        return _TRUTH.get(value.strip(_BLANKS).lower())
    return bool(value) if isinstance(value, bool | int | float) and value in (0, 1) else None
