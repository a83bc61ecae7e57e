"""The core's own `pacer_parse_message`: JSON and XML bodies; asked after every other plugin."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pacer_core.consumers import ConsumerType
from pacer_core.errors import Reject
from pacer_core.hookspecs import hookimpl
from pacer_core.messages import Envelope
from pacer_core.parsing.json import read_json
from pacer_core.parsing.structure import structure
from pacer_core.parsing.xml import read_xml

_UNSPECIFIC = frozenset({"text/plain", "application/octet-stream"})
_BLANKS = b" \t\r\n\xef\xbb\xbf"


@hookimpl(trylast=True)
def pacer_parse_message(envelope: Envelope, consumer: ConsumerType) -> Any:
    """Structure a JSON or XML body; where the content type does not tell, the first byte does."""
    if consumer.message is None:
        return None
    first = _first_byte(envelope.body)
    if not first:
        raise Reject("the body is empty")
    kind = _kind(envelope, first)
    if kind == "xml":
        data, problems = read_xml(envelope.body, consumer.message)
        return structure(data, consumer.message, problems)
    if kind == "json":
        data = read_json(envelope.body)
        if isinstance(data, str):  # a JSON or XML text packed into a JSON string, as older publishers do
            packed = data.lstrip()
            if packed.startswith("<"):
                # What it declares is how it was encoded before it was packed.
                data, problems = read_xml(packed.encode(), consumer.message, encoding="utf-8")
                return structure(data, consumer.message, problems)
            data = read_json(packed.encode())
        return structure(data, consumer.message)
    return None


def _first_byte(body: bytes) -> bytes:
    """Give the first byte that is no blank, without a copy of the body where there is no need."""
    first = body[:1]
    return first if first and first not in _BLANKS else body.lstrip(_BLANKS)[:1]


def _kind(envelope: Envelope, first: bytes) -> str | None:
    media = envelope.content_type
    if media is None or media in _UNSPECIFIC:
        if first == b"<" or envelope.body.startswith((b"\xff\xfe", b"\xfe\xff")):
            return "xml"
        if first in (b"{", b"[", b'"'):
            return "json"
        raise Reject("the body is neither JSON nor XML, and no content type says what it is")
    return _format(media)


@lru_cache(maxsize=256)
def _format(media: str) -> str | None:
    subtype = media.partition("/")[2].rpartition("+")[2]
    return subtype if subtype in ("json", "xml") else None
