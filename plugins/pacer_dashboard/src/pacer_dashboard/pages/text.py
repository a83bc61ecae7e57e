"""Text that others wrote, so that it can be shown: nothing of it moves, hides or turns what is around it."""

from __future__ import annotations

import unicodedata

CUT = "\N{HORIZONTAL ELLIPSIS}"
_KEEP = "\n\t"
_C0 = 0x2400  # where Unicode has a picture for each of the control characters 0 to 31


def visible(text: object, most: int | None = None) -> str:
    """Give text with pictures for its control characters, and names for those that turn its direction.

    ANSI sequences of terminals, marks that turn a line round and halves of surrogate pairs are then seen for
    what they are. Escaping for HTML remains the template's.

    Parameters
    ----------
    text
        Whatever came with a message; what is no text is written as Python writes it.
    most
        How many characters to keep at most.
    """
    words = str(text)
    if most is not None and len(words) > most:
        words = words[: most - 1] + CUT
    if words.isascii() and words.isprintable():
        return words
    return "".join(_picture(sign) for sign in words)


def _picture(sign: str) -> str:
    if sign in _KEEP:
        return sign
    number = ord(sign)
    if number < 32:
        return chr(_C0 + number)
    if sign == "\x7f":
        return "\N{SYMBOL FOR DELETE}"
    # Cc: controls; Cs: half a pair; Cf: formats, of which only the joiner of emoji is harmless
    if unicodedata.category(sign) in ("Cc", "Cs", "Cf") and sign != "\N{ZERO WIDTH JOINER}":
        return f"⟨U+{number:04X}⟩"
    return sign


def duration(seconds: float | None) -> str:
    """Give a length of time in its two largest units: ``350 ms``, ``4.2 s``, ``3 min 20 s``, ``2 d 4 h``."""
    if seconds is None:
        return ""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 0.9995:
        return (
            f"{seconds * 1000:.0f} ms"
            if seconds >= 0.0095 or seconds == 0
            else f"{seconds * 1000:.1f}".removesuffix(".0") + " ms"
        )
    if seconds < 59.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def number(value: float | None) -> str:
    """Give a number with its thousands apart, by spaces that do not break."""
    if value is None:
        return ""
    whole = f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 100 else f"{value:,.1f}"
    return whole.replace(",", "\N{NARROW NO-BREAK SPACE}")


def about(value: int, *, exact: bool) -> str:
    """Give a count; one that is an estimate is rounded to two digits and says that it is one."""
    if exact:
        return number(value)
    digits = max(len(str(abs(value))) - 2, 0)
    return f"\N{ALMOST EQUAL TO}\N{NARROW NO-BREAK SPACE}{number(round(value, -digits))}"
