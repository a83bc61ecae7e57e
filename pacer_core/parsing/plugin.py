"""The core's own `pacer_parse_message`: JSON and XML bodies; asked after every other plugin."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pacer_core.consumers import ConsumerType
from pacer_core.errors import Reject
from pacer_core.hookspecs import hookimpl
from pacer_core.messages import Envelope
from pacer_core.parsing.json import has_legal_text, read_json
from pacer_core.parsing.structure import structure
from pacer_core.parsing.xml import read_xml

_UNSPECIFIC = frozenset({"text/plain", "application/octet-stream"})
_BLANKS = b" \t\r\n\xef\xbb\xbf"


@hookimpl(trylast=True)
def pacer_parse_message(envelope: Envelope, consumer: ConsumerType) -> Any:
    """Structure a JSON or XML body; where the content type does not tell, the first byte does."""
    if consumer.message is None:
        return None
    body = envelope.body
    if not body or (body[0] in _BLANKS and not body.strip(_BLANKS)):
        raise Reject("the body is empty")
    kind = _kind(envelope)
    if kind == "json":
        data = read_json(body)
        if not isinstance(data, str):
            return structure(data, consumer.message, legal=has_legal_text(body))
        # A JSON or XML text packed into a JSON string, as older publishers do.
        body = data.lstrip().encode()
        if not body.startswith(b"<"):
            return structure(read_json(body), consumer.message, legal=has_legal_text(body))
        # What it declares is how it was encoded before it was packed.
        data, problems = read_xml(body, consumer.message, encoding="utf-8")
        return structure(data, consumer.message, problems, legal=True)
    if kind == "xml":
        data, problems = read_xml(body, consumer.message)
        return structure(data, consumer.message, problems, legal=True)
    return None


def _kind(envelope: Envelope) -> str | None:
    media = envelope.content_type
    if media is None or media in _UNSPECIFIC:
        first = envelope.body.lstrip(_BLANKS)[:1]
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
