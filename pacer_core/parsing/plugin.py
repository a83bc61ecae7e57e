"""The core's own `pacer_parse_message`: JSON and XML bodies; asked after every other plugin."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pacer_core.hookspecs import hookimpl
from pacer_core.model.consumers import ConsumerType
from pacer_core.model.errors import Reject
from pacer_core.model.messages import Envelope
from pacer_core.parsing.charset import codec_of, in_utf8
from pacer_core.parsing.fields import structure
from pacer_core.parsing.json import has_legal_text, read_json
from pacer_core.parsing.xml import read_xml

_UNSPECIFIC = frozenset(
    {
        "text/plain",
        "application/octet-stream",
        "binary/octet-stream",
        "application/binary",
        "application/data",  # kombu's label for what a publisher has written itself
    }
)
_BLANKS = b" \t\r\n\xef\xbb\xbf"


@hookimpl(trylast=True)
def pacer_parse_message(envelope: Envelope, consumer: ConsumerType) -> Any:
    """Structure a JSON or XML body; where the content type does not tell, the first byte does."""
    if consumer.message is None:
        return None
    body = envelope.body
    if not body or (body[0] in _BLANKS and not body.strip(_BLANKS)):
        raise Reject("the body is empty")
    kind, charset = _described(envelope)
    if charset is not None:
        body = in_utf8(body, charset)
    kind = kind or _seen(body)
    if kind == "json":
        if charset is None and (encoding := envelope.properties.get("content_encoding")) is not None:
            body = in_utf8(body, codec_of(encoding) or "utf-8")
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
        data, problems = read_xml(body, consumer.message, encoding=None if charset is None else "utf-8")
        return structure(data, consumer.message, problems, legal=True)
    return None


def _described(envelope: Envelope) -> tuple[str, str | None]:
    media = envelope.properties.get("content_type")
    return _read_media(media) if isinstance(media, str) else ("", None)


@lru_cache(maxsize=256)
def _read_media(text: str) -> tuple[str, str | None]:
    """Give the format that a content type names, none where it says nothing, and the codec of its charset."""
    media, *parameters = (part.strip() for part in text.split(";"))
    kind = _format(media.lower())
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        label = value.strip(" \"'")
        if name.strip().lower() == "charset" and label.lower() not in ("", "binary"):
            codec = codec_of(label)
            if codec is None and kind != "other":
                raise Reject(f"the content type names a charset that is not known: {label[:40]!r}")
            return kind, codec
    return kind, None


def _format(media: str) -> str:
    if media in _UNSPECIFIC or "/" not in media:
        return ""
    subtype = media.partition("/")[2].rpartition("+")[2].removeprefix("x-")
    return subtype if subtype in ("json", "xml") else "other"


def _seen(body: bytes) -> str:
    first = body.lstrip(_BLANKS)[:1]
    if first == b"<" or body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "xml"
    if first in (b"{", b"[", b'"'):
        return "json"
    raise Reject("the body is neither JSON nor XML, and no content type says what it is")
