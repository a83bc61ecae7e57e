"""Bodies in other encodings than UTF-8, where a content type or an XML declaration names them.

RFC 6657, RFC 7303; XML 1.0, appendix F. What a parser sees is UTF-8: in any other encoding it could find what
was not there when its body was looked at.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

from pacer_core.model.errors import Reject

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


# XML 1.0, section 4.3.3; within what may stand before it, so that nothing long is searched.
_DECLARED = re.compile(rb"<\?xml\s[^>]{0,200}?\sencoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_WIDE = (  # the first bytes of a mark or a tag; those of four bytes first, since they begin as those of two
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)


# What nearly all begin with: a root, or a declaration in which no parser finds anything else.
_PLAIN = re.compile(
    rb"<(?:[A-Za-z_]|\?xml[ \t\r\n]{1,9}version=[\"']1\.[0-9][\"']"
    rb"(?:[ \t\r\n]{1,9}encoding=[\"'][Uu][Tt][Ff]-8[\"'])?"
    rb"(?:[ \t\r\n]{1,9}standalone=[\"'](?:yes|no)[\"'])?[ \t\r\n]{0,9}\?>)"
)


def is_plain_xml(body: bytes) -> bool:
    """Tell of an XML body, without looking further, that every parser takes it for UTF-8."""
    return _PLAIN.match(body) is not None


def xml_in_utf8(body: bytes) -> bytes:
    """Give an XML body in UTF-8 that is in whatever encoding its first bytes or its declaration say.

    Raises
    ------
    Reject
        Where that is none that PACER reads, such as UTF-7, or the body is no text in it.
    """
    if body.startswith(codecs.BOM_UTF8):
        return body
    for begin, codec in _WIDE:
        if body.startswith(begin):
            return in_utf8(body, codec)
    found = _DECLARED.match(body)
    if found is None:
        return body
    label = found[1].decode()
    declared = codec_of(label)
    if declared is None:
        raise Reject(f"the body is not XML in an encoding that is known: it declares {label!r}")
    # One that is read byte by byte up to here is none of two or four bytes.
    return body if declared.startswith(("utf-16", "utf-32")) else in_utf8(body, declared)
