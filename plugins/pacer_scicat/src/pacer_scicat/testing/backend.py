"""One request, answered: which part of the backend it is for, and who may ask that.

A stand-in for SciCat's backend 5.1.0, whose recorded answers it is played against. Each rule beyond those has
its number in the facts' section A8. What it does not know, it answers as a route that is not there.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from attrs import frozen

from pacer_scicat.testing import blocks, datasets, others
from pacer_scicat.testing.accounts import Accounts, User
from pacer_scicat.testing.filters import fits, found, metadata_names, read_filter
from pacer_scicat.testing.refusals import Refused, broken, refused
from pacer_scicat.testing.store import Store
from pacer_scicat.testing.values import read_json

LARGEST = 16 * 1024 * 1024
"""Bytes of a body that are taken; more is a 500 (A8, 26)."""
NOTHING = object()
"""An answer without a body."""


@frozen
class Asked:
    """One request: path segments behind the version, decoded; headers by lower-case name."""

    method: str
    version: int
    path: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    user: User

    @property
    def filter(self) -> Mapping[str, Any]:
        """The filter of the address, or else of the header."""
        return read_filter(self.query.get("filter") or self.headers.get("filter"))


class Backend:
    """The backend without its network; one request at a time."""

    def __init__(self, accounts: Accounts | None = None, store: Store | None = None) -> None:
        self.accounts = accounts or Accounts()
        self.store = store or Store()
        self.is_healthy = True
        self._lock = threading.Lock()

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Answer a request; give status and body. ``target`` is path and query as they were sent."""
        path, _, query = target.partition("?")
        try:
            with self._lock:
                status, content = self._answer(method, path, dict(parse_qsl(query)), headers, body)
        except Refused as refusal:
            status, content = refusal.status, refusal.body
        return status, b"" if content is NOTHING or method == "HEAD" else json.dumps(content).encode()

    def _answer(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Any]:
        given = _read(headers.get("content-type", ""), body)
        user = self.accounts.who(headers.get("authorization"), query)
        match = re.fullmatch(r"/api/v([34])/([A-Za-z/].*?)/?", path)
        if match:
            segments = tuple(unquote(one) for one in match[2].split("/"))
            segments = (segments[0].lower(), *segments[1:])
            asked = Asked(method, int(match[1]), segments, query, headers, given, user)
            answered = self._route(asked)
            if answered is not None:
                return answered
        raise refused(404, f"Cannot {method} {path}")

    def _route(self, asked: Asked) -> tuple[int, Any] | None:
        part = _PARTS.get(asked.path[0])
        return None if part is None else part(self, asked)

    # --- who asks -------------------------------------------------------------------------------------

    def _auth(self, asked: Asked) -> tuple[int, Any] | None:
        match asked.method, asked.path[1:]:
            case "POST", ("login",):
                if not self.is_healthy:
                    raise broken()
                return 201, self.accounts.login(asked.body)
            case "GET", ("whoami",):
                user = asked.user
                if not user.id:
                    return 200, NOTHING
                return 200, {
                    "_id": user.id,
                    "username": user.name,
                    "email": user.email,
                    "currentGroups": list(user.groups),
                    "authStrategy": "local",
                }
        return None

    def _users(self, asked: Asked) -> tuple[int, Any] | None:
        user = asked.user
        match asked.method, asked.path[1:]:
            case "POST", ("login",):
                return 201, NOTHING  # A8, 1
            case "GET", ("my", "self") if user.id:
                return 200, self.accounts.user(user)
            case "GET", ("my", "identity") if user.id:
                return 200, self.accounts.identity(user)
        return None

    def _health(self, asked: Asked) -> tuple[int, Any] | None:
        if asked.method != "GET" or asked.path[1:]:
            return None
        state = {"mongodb": {"status": "up" if self.is_healthy else "down"}}
        if self.is_healthy:
            return 200, {"status": "ok", "info": state, "error": {}, "details": state}
        return 503, {"status": "error", "info": {}, "error": state, "details": state}

    # --- datasets -------------------------------------------------------------------------------------

    def _datasets(self, asked: Asked) -> tuple[int, Any] | None:
        store, user, version, body = self.store, asked.user, asked.version, asked.body
        match asked.method, asked.path[1:]:
            case "POST", ():
                return 201, datasets.create(store, user, body, version)
            case "POST", ("isValid",):
                return 200, datasets.is_valid(store, user, body, version)
            case "GET", ():
                return 200, self._listed(asked)
            case "GET", ("count",):
                return 200, {"count": len(found(self._visible(asked), {"where": asked.filter.get("where")}))}
            case "GET", ("findOne",):
                listed = self._listed(asked)
                return 200, listed[0] if listed else NOTHING
            case "GET", ("metadataKeys",):
                return 200, metadata_names(self._visible(asked))
            case "GET", ("fullquery",):
                return 200, self._full_query(asked)
            case "GET", ("fullfacet",):
                return 200, self._facets(asked)
            case (("GET" | "HEAD"), (pid,)):
                document = datasets.one(store, user, pid, version)
                included = self._included(asked.filter, pid)
                return 200, {**datasets.seen(document, version, alone=version == 3), **included}
            case ("PATCH" | "PUT") as method, (pid,):
                since = asked.headers.get("if-unmodified-since")
                return 200, datasets.change(
                    store, user, pid, body, version, whole=method == "PUT", since=since
                )
            case "DELETE", (pid,):
                return 200, datasets.delete(store, user, pid)
            case "POST", (_, "appendToArrayField"):
                raise refused(403, "Unauthorized to update this dataset")
            case "POST", (pid, "origdatablocks"):
                return 201, blocks.create(store, user, body, below=pid)
            case "GET", (pid, "origdatablocks"):
                datasets.one(store, user, pid)
                return 200, [blocks.seen(one) for one in blocks.of(store, pid)]
            case "POST", (pid, "attachments"):
                return 201, others.create_attachment(store, user, pid, body)
            case "GET", (pid, "attachments"):
                datasets.one(store, user, pid)
                return 200, others.attachments(store, pid)
            case "GET", (pid, "thumbnail"):
                datasets.one(store, user, pid)
                return 200, others.thumbnail(store, pid)
        return None

    def _visible(self, asked: Asked) -> list[dict[str, Any]]:
        seen = (one for one in self.store.datasets.values() if asked.user.reads(one))
        return [datasets.seen(one, asked.version) for one in seen]

    def _listed(self, asked: Asked) -> list[dict[str, Any]]:
        listed = found(self._visible(asked), asked.filter)
        return [{**one, **self._included(asked.filter, one["_id"])} for one in listed]

    def _included(self, wanted: Mapping[str, Any], pid: str) -> dict[str, Any]:
        asked = wanted.get("include") or ()
        names = [one.get("relation") if isinstance(one, Mapping) else one for one in asked]
        if "origdatablocks" not in names:
            return {}
        return {"origdatablocks": blocks.of(self.store, pid)}

    def _full_query(self, asked: Asked) -> list[dict[str, Any]]:
        fields = dict(read_filter(asked.query.get("fields")))
        if "text" in fields:
            raise broken()
        where = fields | {
            f"scientificMetadata.{one['lhs']}.value": one["rhs"] for one in fields.pop("scientific", ())
        }
        where.pop("scientific", None)
        listed = [one for one in self._visible(asked) if asked.user.is_member(one)]  # not what is published
        return found(listed, {"where": where, "limits": read_filter(asked.query.get("limits"))})

    def _facets(self, asked: Asked) -> list[dict[str, Any]]:
        listed = found(self._visible(asked), {"where": read_filter(asked.query.get("fields"))})
        facets: dict[str, Any] = {}
        for name in json.loads(asked.query.get("facets", "[]")):
            values = [one.get(name) for one in listed]
            facets[name] = [{"_id": one, "count": values.count(one)} for one in dict.fromkeys(values)]
        return [{**facets, "all": [{"totalSets": len(listed)}] if listed else []}]

    # --- what else there is ---------------------------------------------------------------------------

    def _blocks(self, asked: Asked) -> tuple[int, Any] | None:
        store, user, body = self.store, asked.user, asked.body
        match asked.method, asked.path[1:]:
            case "POST", ():
                return 201, blocks.create(store, user, body, version=asked.version)
            case "POST", ("isValid",):
                return 200, blocks.is_valid(body)
            case "GET", ():
                listed = found(blocks.visible(store, user), asked.filter)
                if asked.version == 4:
                    return 200, listed
                return 200, [blocks.seen(one) if "dataFileList" in one else one for one in listed]
            case "GET", ("fullquery",):
                return 200, [blocks.seen(one) for one in self._blocks_by_fields(asked)]
            case "GET", ("fullquery", "files"):
                return 200, blocks.files(self._blocks_by_fields(asked))
            case "GET", (block,):
                return 200, blocks.one(store, user, block)
            case "PATCH", (block,):
                return 200, blocks.change(store, user, block, body)
            case "DELETE", (block,):
                return 200, blocks.delete(store, user, block)
        return None

    def _blocks_by_fields(self, asked: Asked) -> list[dict[str, Any]]:
        where = read_filter(asked.query.get("fields"))
        return [one for one in blocks.visible(self.store, asked.user) if fits(one, where)]

    def _instruments(self, asked: Asked) -> tuple[int, Any] | None:
        store, held = self.store, self.store.instruments
        match asked.method, asked.path[1:]:
            case "POST", ():
                return 201, others.create_instrument(store, asked.user, asked.body)
            case "GET", ():
                return 200, found(held.values(), asked.filter)
            case "GET", ("findOne",):
                listed = found(held.values(), asked.filter)
                return 200, listed[0] if listed else NOTHING
            case "GET", (pid,):
                return 200, held.get(pid, NOTHING)  # A8, 23
            case "PATCH", (pid,) if pid in held:
                return 200, others.change_instrument(store, asked.user, pid, asked.body)
            case "DELETE", (_,):
                raise refused(403, "Forbidden resource")
        return None

    def _proposals(self, asked: Asked) -> tuple[int, Any] | None:
        store, user = self.store, asked.user
        match asked.method, asked.path[1:]:
            case "POST", ():
                return 201, others.create_proposal(store, user, asked.body)
            case "POST", ("isValid",):
                return 200, {"valid": True}
            case "GET", ():  # by `filters`: a `filter` is not heard
                visible = (one for one in store.proposals.values() if user.reads(one))
                return 200, found(visible, read_filter(asked.query.get("filters")))
            case "GET", (name,):
                return 200, others.proposal(store, user, name)
            case "GET", (name, "authorization"):
                held = store.proposals.get(name)
                return 200, {"canAccess": held is not None and user.reads(held)}
        return None

    def _samples(self, asked: Asked) -> tuple[int, Any] | None:
        store, user = self.store, asked.user
        match asked.method, asked.path[1:]:
            case "POST", ():
                return 201, others.create_sample(store, user, asked.body)
            case "GET", ():
                return 200, found((one for one in store.samples.values() if user.reads(one)), asked.filter)
            case "GET", (name,):
                return 200, others.sample(store, user, name)
        return None


Part = Callable[[Backend, Asked], "tuple[int, Any] | None"]

_PARTS: dict[str, Part] = {
    "auth": Backend._auth,
    "users": Backend._users,
    "health": Backend._health,
    "datasets": Backend._datasets,
    "origdatablocks": Backend._blocks,
    "instruments": Backend._instruments,
    "proposals": Backend._proposals,
    "samples": Backend._samples,
}


def _read(kind: str, body: bytes) -> Any:
    """Read a body before anything else is looked at; ``None`` for what the backend cannot read."""
    if len(body) > LARGEST:
        raise broken()
    kind = kind.partition(";")[0].strip()
    if not body:
        return {} if kind else None
    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(body.decode("utf-8", "replace")))
    if kind not in ("application/json", "application/merge-patch+json"):
        return None
    try:
        return read_json(body)
    except ValueError as error:
        raise refused(400, str(error)) from None
