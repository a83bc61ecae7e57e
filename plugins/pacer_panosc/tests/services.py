"""Stand-ins for the search API and the scoring service; each rule names the observation behind it.

The observations were made on the reference search API (LoopBack 3) and on the scoring service itself with an
in-memory database; datagateway-api's were read in its source.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from attrs import define, field

from pacer_http.testing import Reply, Request

Document = dict[str, Any]


@define
class SearchApi:
    """Either implementation of the PaNOSC search API: LoopBack's, the reference, or datagateway-api's."""

    reference: bool = True
    documents: list[Document] = field(factory=list)
    """All, embargoed ones among them (``isPublic``)."""
    ignores_filters: bool = False

    def answer(self, request: Request) -> Reply:
        if request.path == "/api/Documents" and request.method == "GET":
            return self._list(request.query)
        # Errors have this shape in both.
        return Reply({"error": {"statusCode": 404, "name": "NotFound", "message": "none"}}, 404)

    def _list(self, query: Any) -> Reply:
        # Read as anon: what is embargoed is not there, rather than forbidden.
        public = [one for one in self.documents if one.get("isPublic", True)]
        given = json.loads(query.get("filter", "{}"))
        where = given.get("where", {})
        if not self.reference and "where" in query:
            where = json.loads(query["where"])  # datagateway-api takes it; the reference ignores it
        if self.ignores_filters:
            where = {}
        found = [one for one in public if all(one.get(key) == value for key, value in where.items())]
        relations = {one["relation"] for one in given.get("include", ())}
        shown = [
            {key: value for key, value in one.items() if key not in {"members", "parameters"} - relations}
            for one in found[: given.get("limit")]
        ]
        # datagateway-api has a score in every document, -1 where nothing was scored.
        return Reply(shown if self.reference else [{**one, "score": -1} for one in shown])


@define
class Pss:
    """PaNOSC's scoring service."""

    items: dict[str, dict[str, Any]] = field(factory=dict)
    status: dict[str, Any] | None = None
    """Of the last run; ``None`` while there was none."""
    scored: set[str] = field(factory=set)
    """The items that the last finished run has seen."""
    runs: int = 0
    password: str | None = None
    keeps: bool = True
    """Whether a PUT has an effect."""

    def answer(self, request: Request) -> Reply:
        # No authentication of its own: Basic comes from a proxy in front of it.
        if self.password is not None and "authorization" not in request.headers:
            return Reply(b"<html>401 Authorization Required</html>", 401, {"Content-Type": "text/html"})
        path, method = request.path, request.method
        if path == "/compute":
            return self._compute(method)
        if path == "/items" and method == "POST":
            return Reply(b"", 307, {"Location": "/items/"})  # a redirection, which clients do not follow
        if path == "/items/" and method == "POST":
            return self._create(request.json())
        if path == "/items/count":
            return Reply({"count": len(self.items)})
        if path.startswith("/items/"):
            return self._item(method, path.removeprefix("/items/"), request)
        return Reply({"detail": "Not Found"}, 404)

    def _create(self, item: dict[str, Any]) -> Reply:
        # A duplicate, or no id, is 400 with the exception's name; neither 409 nor 422.
        if "id" not in item or item["id"] in self.items:
            detail = "An exception of type DuplicateKeyError occurred. Arguments: ..."
            return Reply({"detail": detail}, 400)
        whole = {"id": item["id"], "group": item.get("group", "default"), "fields": item.get("fields", {})}
        self.items[item["id"]] = whole
        return Reply({"success": True, "items_created": 1, "items_ids": [item["id"]]}, 201)

    def _item(self, method: str, raw: str, request: Request) -> Reply:
        # An id may hold a slash, raw or as %2F, for GET and DELETE; PUT and PATCH answer 405 to both.
        name = unquote(raw)
        if method == "GET":
            return Reply(self.items[name]) if name in self.items else Reply(None, 404)
        if method == "DELETE":
            gone = self.items.pop(name, None)
            return Reply({"successful": True, "items_deleted": int(gone is not None)})
        if method not in ("PUT", "PATCH") or "/" in name:
            return Reply({"detail": "Method Not Allowed"}, 405)
        given = request.json()
        if "group" not in given:
            return Reply({"detail": [{"loc": ["body", "group"], "msg": "field required"}]}, 422)
        # 200 also where it is missing or was the same: "successful" is false then.
        changed = {"id": name, "group": given["group"], "fields": given.get("fields", {})}
        update = self.keeps and name in self.items and self.items[name] != changed
        if update:
            self.items[name] = changed
        return Reply({"successful": update, "items_updated": int(update)})

    def _compute(self, method: str) -> Reply:
        running = self.status is not None and self.status["inProgress"]
        if method == "GET":
            # 404 while it has never run.
            return Reply(self.status or {"inProgress": False}, 404 if self.status is None else 200)
        if running:
            return Reply(self.status, 409)
        self.runs += 1
        self.status = {
            "requested": f"2026-03-14T09:{self.runs:02}:00",
            "started": None,
            "ended": None,
            "progressPercent": 0,
            "progressDescription": "",
            "inProgress": True,  # also without items, and then for ever
        }
        return Reply(self.status)

    def finish(self) -> None:
        """Let the run end: all items of all groups have weights now."""
        assert self.status is not None
        self.status |= {"inProgress": False, "progressPercent": 100, "ended": "2026-03-14T10:00:00"}
        self.scored = set(self.items)
