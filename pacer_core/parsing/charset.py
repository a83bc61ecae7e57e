"""Bodies in other encodings than UTF-8, where a content type names them (RFC 6657, RFC 7303)."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

from pacer_core.errors import Reject

# Not all that Python calls an encoding of text is one: punycode takes quadratic time, unicode_escape no text.
_CHARSET = re.compile(
    r"ascii|utf-(8|16|32)(-(sig|le|be))?|iso(8859|2022).*|cp\d+.*|koi8.*|mac-.*|windows.*|gb.*|hz|big5.*|"
    r"shift_jis.*|euc_.*|johab|tis-620|ptcp154|kz1048"
)


@lru_cache(maxsize=256)
def codec_of(label: object) -> str | None:
    """Give Python's name of the encoding that a publisher's label means; ``None`` where it means none."""
    try:
        name = codecs.lookup(str(label).strip()).name
    except (LookupError, ValueError):
        return None
    if name in ("ascii", "utf-8-sig"):
        return "utf-8"
    return name if _CHARSET.fullmatch(name) else None


def in_utf8(body: bytes, codec: str) -> bytes:
    """Give a body in UTF-8; a byte order mark outweighs what the publisher says.

    Raises
    ------
    Reject
        Where it is no text in that encoding.
    """
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and not codec.startswith("utf-32"):
        codec = "utf-16"
    if codec == "utf-8" or body.startswith(codecs.BOM_UTF8):
        return body
    try:
        return body.decode(codec).encode()
    except UnicodeError:
        raise Reject(f"the body is no text in {codec}, which its publisher says it is in") from None
