"""Texts of others made harmless for whoever looks at them: a terminal, a log, what reads a log by lines."""

from __future__ import annotations

import re

# Unicode's Cc, Cf, Cs, Zl and Zp: what controls a terminal, ends a line, turns the direction of what follows
# around or cannot be seen, and halves of characters, which no encoding has.
_CLASS = (
    "\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001345f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f"
)
_HARMFUL = re.compile(f"[{_CLASS}]")
# The same without the blank space of JSON between its values, which is ours: inside strings it is escaped.
_IN_JSON = re.compile(f"[{_CLASS}]".replace("\x00-\x1f", "\x00-\x08\x0b\x0c\x0e-\x1f"))


def escaped(text: str) -> str:
    r"""Give a text in one line that shows what is in it and does nothing: ``\n``, ``\x1b``, ``\u202e``."""
    return text if text.isprintable() else _HARMFUL.sub(_spelt, text)


def escaped_lines(text: str) -> str:
    """Give a text of several lines, each `escaped`; a new line is the one way to begin another."""
    return "\n".join([escaped(line) for line in text.split("\n")])


def escaped_json(text: str) -> str:
    """Give JSON that means the same and has none of these characters as they are."""
    return text if text.isprintable() else _IN_JSON.sub(_in_json, text)


_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _spelt(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if code < 0x100:
        return _SHORT.get(character) or f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _in_json(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
