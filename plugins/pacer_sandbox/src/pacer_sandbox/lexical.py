"""Attribute values as JAXB reads them from XML: what it cannot read is null, and nobody is told."""

from zoneinfo import ZoneInfo

from pacer_sandbox import times

Value = str | int | float | bool | None

_BLANKS = " \t\r\n"
_INT = range(-(2**63), 2**63)


def read(text: str, kind: str, zone: ZoneInfo, enum: tuple[str, ...] = ()) -> Value:
    """Read the text of an element as an attribute of type ``kind``; times become seconds.

    ``enum`` holds the names where the attribute is an enumeration.
    """
    if kind == "String":
        return text
    if kind == "Date":
        return times.from_xml(text, zone)
    reader = _READERS.get(kind)
    if reader is not None:
        return reader(text.strip(_BLANKS))
    name = text.strip(_BLANKS)
    return name if name in enum else None


def _long(text: str) -> int | None:
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not (digits.isascii() and digits.isdigit()):
        return None
    number = int(text)
    return number if number in _INT else None


def _integer(text: str) -> int | None:
    """Read a 32-bit number: more digits than it holds run over, blanks and signs anywhere are ignored."""
    number, sign = 0, 1
    for char in text:
        if "0" <= char <= "9":
            number = number * 10 + int(char)
        elif char == "-":
            sign = -1
        elif char not in " \t\r\n+":
            return None
    number *= sign
    return (number + 2**31) % 2**32 - 2**31


def _double(text: str) -> float | None:
    if text in ("NaN", "INF", "-INF"):
        return float(text)
    if not text or text[0] not in "0123456789.+-" or text[-1] not in "0123456789.+-" or "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _boolean(text: str) -> bool:
    return text in ("true", "1")


_READERS = {"Long": _long, "Integer": _integer, "Double": _double, "boolean": _boolean}
