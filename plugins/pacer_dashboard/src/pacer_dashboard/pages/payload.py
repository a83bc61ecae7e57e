"""Payloads as they are read: indented, coloured, and harmless; what is downloaded is the body as it came."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from attrs import frozen
from django.utils.safestring import SafeString, mark_safe
from lxml import etree
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from pacer_dashboard.pages.text import visible

MOST = 128 * 1024
"""Characters of a payload that are shown; the download has all of it."""
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_INDENT = "  "


@frozen
class Shown:
    """A payload on a page: ``language`` is ``json``, ``xml`` or nothing; ``cut`` says it is a beginning."""

    html: SafeString
    language: str
    size: int
    cut: bool


def show(body: bytes) -> Shown:
    """Indent and colour a payload."""
    text, language = pretty(body.decode("utf-8", "replace"))
    cut = len(text) > MOST
    return Shown(_coloured(text[:MOST], language), language, len(body), cut)


def pretty(text: str) -> tuple[str, str]:
    """Give a payload with its parts on lines of their own, and what it is written in; other text as it is.

    Numbers and strings are written as the sender wrote them, as nothing is read into Python's types and back.
    """
    if len(text) > 4 * MOST:
        return text, ""
    beginning = text.lstrip()[:1]
    if beginning in ("{", "["):
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return text, ""
        return "".join(_indented(text)), "json"
    if beginning == "<":
        return _xml(text)
    return text, ""


def _xml(text: str) -> tuple[str, str]:
    # Entities stay unresolved and nothing is fetched: it came from anybody.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_blank_text=True)
    try:
        root = etree.fromstring(text.encode(), parser)
        return etree.tostring(root, pretty_print=True, encoding="unicode"), "xml"
    except (etree.XMLSyntaxError, ValueError):
        return text, ""


def _indented(text: str) -> Iterator[str]:
    """Set the tokens of valid JSON on lines."""
    depth = 0
    before = ""
    for piece in _TOKEN.findall(text):
        if piece in "}]":
            depth -= 1
            if before not in "{[":
                yield "\n" + _INDENT * min(depth, 40)
        elif before in ("{", "[", ","):
            yield "\n" + _INDENT * min(depth, 40)
        yield ": " if piece == ":" else piece
        if piece in "{[":
            depth += 1
        before = piece


def _coloured(text: str, language: str) -> SafeString:
    lexer = get_lexer_by_name(language or "text", stripnl=False, ensurenl=False)
    return mark_safe(highlight(visible(text), lexer, HtmlFormatter(nowrap=True)))  # noqa: S308 - escaped by Pygments
