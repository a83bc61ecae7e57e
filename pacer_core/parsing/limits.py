"""What a body may hold, found out before any parser sees it, in one pass at the speed of a search for bytes.

Parsers take many times a body's size in memory, and hold the interpreter while they work. 100 000 files of
five elements each stay below these limits.
"""

from __future__ import annotations

import re

from pacer_core.model.errors import Reject

MARKUP = 1_000_000
"""Tags of an XML body, and as many signs of equality, which attributes have; values of a JSON body."""
ATTRIBUTES = 256
"""Attributes of one XML element: to find them all takes time that grows with the square of their number."""

_BLANKS = frozenset((b" ", b"\t", b"\r", b"\n"))
_BETWEEN_TAGS = re.compile(rb"<([^<]+)")
_QUOTED = re.compile(rb"\"[^\"]*\"|'[^']*'")
_BEGINS = re.compile(
    rb"(?:<\?xml [^<>?]{0,200}\?>)?[ \t\r\n]{0,99}<[A-Za-z_]"
)  # as nearly all do: no DOCTYPE
_OTHER = b"/!?"  # what follows the bracket where no element begins


def check_json(body: bytes) -> None:
    """Look whether a JSON body in UTF-8 may be read.

    Raises
    ------
    Reject
        Where it has too many values.
    """
    if len(body) > MARKUP and sum(map(body.count, (b",", b"[", b"{"))) > MARKUP:
        raise Reject(f"the body has more than {MARKUP:,} values in its JSON, which is not read")


def check_xml(body: bytes) -> None:
    """Look whether an XML body in UTF-8 may be read.

    Raises
    ------
    Reject
        Where it has too many tags or attributes, or a DOCTYPE, whose entities nobody is to define.
    """
    if len(body) > MARKUP and (body.count(b"<") > MARKUP or body.count(b"=") > MARKUP):
        raise Reject(f"the body has more than {MARKUP:,} tags or attributes in its XML, which is not read")
    if len(body.split(b"=", ATTRIBUTES + 1)) > ATTRIBUTES + 1:  # three times as fast as to count them
        for found in _BETWEEN_TAGS.finditer(body):
            piece = found[1]
            if piece.count(b"=") > ATTRIBUTES and piece[0] not in _OTHER and _attributes(piece) > ATTRIBUTES:
                raise Reject(f"the body has an XML element with more than {ATTRIBUTES} attributes")
    if _BEGINS.match(body) is None and _has_doctype(body):
        raise Reject("the body has a DOCTYPE, which is not accepted")


def _attributes(piece: bytes) -> int:
    """Count the attributes of a start tag, from behind its bracket; no value of theirs holds another one."""
    return _QUOTED.sub(b"", piece).partition(b">")[0].count(b"=")


def _has_doctype(body: bytes) -> bool:
    """Tell whether there is a DOCTYPE where XML takes one: among what comes before the root (section 2.8)."""
    at = 0
    while True:
        while body[at : at + 1] in _BLANKS:
            at += 1
        if body.startswith(b"<?", at):
            end = body.find(b"?>", at) + 2
        elif body.startswith(b"<!--", at):
            end = body.find(b"-->", at) + 3
        else:
            return body.startswith(b"<!DOCTYPE", at)
        if end <= at:  # not closed
            return False
        at = end
