"""A stand-in for Elasticsearch: indexes, documents and ``_bulk``, with its ways to fail.

What it does is held to a real node's answers by `test_indexing`, which runs against both.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from attrs import define, field

from pacer_http.testing import Reply, Request

Documents = dict[str, dict[str, Any]]


def _strict(text: bytes) -> Any:
    """Read JSON as the server does: without NaN."""

    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    return json.loads(text, parse_constant=refuse)


@define
class Node:
    """What the server holds, and how it is to fail."""

    indexes: dict[str, Documents] = field(factory=dict)
    mappings: dict[str, Any] = field(factory=dict)
    versions: dict[tuple[str, str], int] = field(factory=dict)
    busy: int = 0
    """How many documents are put off with a 429 of their own, in a request that succeeds."""
    block: dict[str, Any] | None = None
    """What every document is answered with instead."""
    largest: int = 100 * 1024 * 1024
    """Bytes above which a request is answered with 413 (``http.max_content_length``)."""

    def answer(self, request: Request) -> Reply:
        if request.path == "/":
            return Reply({"name": "stand-in", "version": {"number": "7.10.2"}})
        if request.path == "/_bulk" and request.method == "POST":
            return self._bulk(request)
        index, _, rest = request.path.strip("/").partition("/")
        return self._index(unquote(index), rest, request)

    def _index(self, index: str, rest: str, request: Request) -> Reply:
        if rest == "" and request.method == "HEAD":
            return Reply(b"", 200 if index in self.indexes else 404)
        if rest == "" and request.method == "PUT":
            if index in self.indexes:
                return _error(400, "resource_already_exists_exception", f"index [{index}] already exists")
            self.indexes[index] = {}
            self.mappings[index] = request.json()["mappings"]
            return Reply({"acknowledged": True, "index": index})
        if rest == "_refresh":
            return Reply({"_shards": {"failed": 0}})
        if rest == "_mget" and index in self.indexes:
            held = self.indexes[index]
            docs = [
                {"_id": id_, "found": id_ in held, **({"_source": held[id_]} if id_ in held else {})}
                for id_ in request.json()["ids"]
            ]
            return Reply({"docs": docs})
        if rest == "_search":
            hits = [{"_id": id_, "_source": source} for id_, source in self.indexes[index].items()]
            return Reply({"hits": {"hits": hits}})
        return _error(404, "index_not_found_exception", f"no such index [{index}]")

    def _bulk(self, request: Request) -> Reply:
        if len(request.body) > self.largest:
            return Reply(b"", 413)
        assert request.headers["content-type"] == "application/x-ndjson"
        assert request.body.endswith(b"\n")
        lines = request.body.splitlines()
        items = [
            {name: self._document(name, target, source)}
            for head, source in zip(lines[::2], lines[1::2], strict=True)
            for name, target in _strict(head).items()
        ]
        # Whatever has become of them, the request itself is 200.
        errors = any("error" in item for one in items for item in one.values())
        return Reply({"took": 1, "errors": errors, "items": items})

    def _document(self, name: str, target: dict[str, Any], line: bytes) -> dict[str, Any]:
        index, id_ = target["_index"], target["_id"]
        if self.busy:
            self.busy -= 1
            return {"status": 429, "error": {"type": "es_rejected_execution_exception", "reason": "busy"}}
        if self.block is not None:
            return self.block
        if index not in self.indexes:
            return {"status": 404, "error": {"type": "index_not_found_exception", "reason": "none"}}
        try:
            source = _strict(line)
        except ValueError:
            return {"status": 400, "error": {"type": "mapper_parsing_exception", "reason": "failed to parse"}}
        texts = {name for name, one in self._fields(index).items() if one["type"] in ("keyword", "text")}
        if wrong := [name for name in texts if isinstance(source.get(name), dict)]:
            reason = f"failed to parse field [{wrong[0]}] of type [keyword]. Preview of field's value: 'Ada'"
            return {"status": 400, "error": {"type": "mapper_parsing_exception", "reason": reason}}
        version = target.get("version", 0)
        held = id_ in self.indexes[index]
        if (name == "create" and held) or version < self.versions.get((index, id_), 0):
            reason = f"[{id_}]: version conflict"
            return {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": reason}}
        self.indexes[index][id_] = source
        self.versions[index, id_] = version
        return {"_index": index, "_id": id_, "status": 200 if held else 201}

    def _fields(self, index: str) -> dict[str, Any]:
        fields: dict[str, Any] = self.mappings.get(index, {}).get("properties", {})
        return fields


def _error(status: int, kind: str, reason: str) -> Reply:
    return Reply({"error": {"type": kind, "reason": reason}, "status": status}, status)
