"""Many documents in one request (``_bulk``), and what became of each of them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from pacer_http import Answer, Away, Forbidden, HttpClient

MOST = 500
"""Documents in one request."""
MOST_BYTES = 5 * 1024 * 1024
"""Bytes in one request: servers take 100 MB by default, and are quickest with a few."""
PAUSES = (0.2, 1.0)
"""Seconds before documents that a busy server has put off are sent again."""
_BLOCKED = "cluster_block_exception"
_ABOUT_THE_DOCUMENT = frozenset(
    {
        "document_parsing_exception",
        "illegal_argument_exception",
        "input_coercion_exception",
        "invalid_index_name_exception",
        "mapper_exception",
        "mapper_parsing_exception",
        "number_format_exception",
        "parse_exception",
        "parsing_exception",
        "strict_dynamic_mapping_exception",
        "x_content_parse_exception",
    }
)
"""Errors after which the same document will never be taken; of others the cluster may recover."""
_FIELD = re.compile(r"\bfield \[([\w.@-]{1,200})\]")


@frozen
class Action:
    """What to do with one document: ``index`` or ``create`` it, at ``_index`` and ``_id`` of ``target``."""

    name: str
    target: Mapping[str, Any]
    source: Mapping[str, Any]

    def lines(self) -> bytes:
        """Give it as ``_bulk`` takes it.

        Raises
        ------
        ValueError
            Where the document holds NaN or an infinity, which JSON does not know.
        """
        head = json.dumps({self.name: self.target})
        body = json.dumps(self.source, allow_nan=False, ensure_ascii=False)
        return f"{head}\n{body}\n".encode("utf-8", "replace")


@frozen
class Refusal:
    """A document that will never be accepted as it is, and why; nothing in it quotes a value."""

    id: str
    status: int
    reason: str


def send(http: HttpClient, actions: Iterable[Action]) -> list[Refusal]:
    """Send documents in requests of a bearable size; give those that were refused.

    A document that a newer one has overtaken (409) counts as sent.

    Raises
    ------
    HttpProblem
        Where the server does not answer, or refuses a whole request.
    Away
        Where it goes on putting documents off, for what is not known to be about them, or its disk is full.
    Forbidden
        Where the account may not write that index.
    """
    return [refusal for part in _parts(actions) for refusal in _send(http, part)]


def _parts(actions: Iterable[Action]) -> Iterator[list[tuple[Action, bytes]]]:
    part: list[tuple[Action, bytes]] = []
    size = 0
    for action in actions:
        lines = action.lines()
        if part and (len(part) >= MOST or size + len(lines) > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append((action, lines))
        size += len(lines)
    if part:
        yield part


def _send(http: HttpClient, part: Sequence[tuple[Action, bytes]]) -> list[Refusal]:
    refused: list[Refusal] = []
    for pause in (*PAUSES, None):
        answer = http.request(
            "POST",
            "/_bulk",
            body=b"".join(lines for _, lines in part),
            content_type="application/x-ndjson",
            expect=(200, 413),
            repeatable=True,
        )
        if answer.status == 413:
            return refused + _halved(http, part)
        again: list[tuple[Action, bytes]] = []
        why: set[str] = set()
        for one, (status, error) in zip(part, _items(answer, len(part)), strict=True):
            if status < 300 or status == 409:
                continue
            kind = error.get("type")
            if kind == _BLOCKED and status < 429:  # 403 in version 7, 429 later
                raise Away(
                    "Elasticsearch takes no documents: its disk is full, or the index is locked",
                    answer,
                    counted=False,
                )
            if _passes(status, kind):
                again.append(one)
                why.add(_reason(status, error))
            elif status in (401, 403):
                raise Forbidden("Elasticsearch: give PACER's account the right to write that index", answer)
            else:
                refused.append(Refusal(_id(one[0]), status, _reason(status, error)))
        if not again:
            return refused
        part = again
        if pause is not None:
            time.sleep(pause)
    raise Away(
        f"Elasticsearch is too busy, or in trouble: it puts documents off again and again "
        f"({len(part)}; {', '.join(sorted(why)[:3])})",
        answer,
        counted=not all(_BLOCKED in one for one in why),
    )


def _passes(status: int, kind: Any) -> bool:
    """Tell whether what became of a document is not known to be its own fault."""
    if status == 429 or status >= 500:
        return True
    return status not in (401, 403, 404, 413) and kind not in _ABOUT_THE_DOCUMENT


def _halved(http: HttpClient, part: Sequence[tuple[Action, bytes]]) -> list[Refusal]:
    if len(part) == 1:
        return [Refusal(_id(part[0][0]), 413, "413: the document is larger than the server takes")]
    middle = len(part) // 2
    return _send(http, part[:middle]) + _send(http, part[middle:])


def _items(answer: Answer, count: int) -> list[tuple[int, Mapping[str, Any]]]:
    """Read status and error of every document: a request that was accepted says nothing about them."""
    items: Any = answer.entries().get("items")
    try:
        found = [(int(one["status"]), _error(one)) for item in items for one in item.values()]
    except (TypeError, ValueError, KeyError, AttributeError):
        found = []
    if len(found) != count:
        raise Away(f"{answer.what} was answered without a word for each document", answer)
    return found


def _error(item: Mapping[str, Any]) -> Mapping[str, Any]:
    error = item.get("error")
    return error if isinstance(error, dict) else {}


def _id(action: Action) -> str:
    return str(action.target.get("_id", ""))


def _reason(status: int, error: Mapping[str, Any]) -> str:
    """Give the kind of error, and the field it names; what else it says quotes the document."""
    named = _FIELD.search(str(error.get("reason", "")))
    return f"{status} {error.get('type', 'without a word')}" + (f" of field {named[1]!r}" if named else "")
