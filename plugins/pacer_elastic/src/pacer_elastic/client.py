"""Indexes of datasets, on Elasticsearch 7.10 to 9 and OpenSearch alike."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from attrs import frozen

from pacer_core import BadField, Reject, Retry
from pacer_elastic.bulk import MOST, Action, Refusal, send
from pacer_elastic.options import RULE, ElasticOptions, is_index
from pacer_http import HttpClient, addressed, segment

_NEVER = (b"illegal_argument_exception", b"invalid_index_name_exception", b"mapper_parsing_exception")
"""Errors about the name or the mapping of an index; a cluster that is full of shards says others."""


@cache
def template() -> Mapping[str, Any]:
    """Give the index template that comes with PACER: patterns, settings and the mapping."""
    whole: Mapping[str, Any] = json.loads(files(__package__).joinpath("template.json").read_text())
    return whole


@frozen
class Document:
    """A dataset as it is found, and how late ICAT was asked for it: the later one stays."""

    id: int
    version: int
    source: Mapping[str, Any]


class Elastic:
    """The documents of datasets; safe to use from many threads."""

    def __init__(self, options: ElasticOptions, http: HttpClient) -> None:
        self.options = options
        self._http = http
        self._lock = threading.Lock()
        self._there: set[str] = set()

    def check(self) -> None:
        """Ask who is there.

        Raises
        ------
        HttpProblem
            Where nobody is, or we are refused.
        """
        with addressed("url", self.options.url, "the root of Elasticsearch or OpenSearch"):
            self._http.request("GET", "/").entries()

    def index(self, documents: Iterable[Document], index: str | None = None) -> list[Refusal]:
        """Write documents under the ids of their datasets; give those that were refused.

        One that was read from ICAT later stays, whichever arrives last.

        Raises
        ------
        HttpProblem
            Where the server does not answer, or refuses us.
        Reject
            Where no index may have that name.
        Retry
            Where somebody has just deleted the index.
        """
        name = self._name(index)
        self._create(name)
        actions = (
            Action(
                "index",
                {
                    "_index": name,
                    "_id": str(one.id),
                    "version": one.version,
                    "version_type": "external_gte",
                },
                one.source,
            )
            for one in documents
        )
        refused = send(self._http, actions)
        if any(one.status == 404 for one in refused):
            with self._lock:
                self._there.discard(name)
            raise Retry(f"Elasticsearch has no index {name!r} any more: it is created anew")
        return refused

    def held(self, ids: Iterable[int], index: str | None = None) -> dict[int, Mapping[str, Any]] | None:
        """Give what an index holds under the ids of datasets; ``None`` where there is no such index.

        Raises
        ------
        HttpProblem
            Where the server does not answer, or refuses us.
        Reject
            Where no index may have that name.
        """
        found: dict[int, Mapping[str, Any]] = {}
        path, left = f"/{segment(self._name(index))}/_mget", list(ids)
        while left:
            some, left = left[:MOST], left[MOST:]
            asked = {"ids": [str(one) for one in some]}
            answer = self._http.request("POST", path, json=asked, expect=(200, 404), repeatable=True)
            if answer.status == 404:
                return None
            documents = answer.entries().get("docs")
            for one in documents if isinstance(documents, list) else ():
                if isinstance(one, Mapping) and one.get("found") is True:
                    found[int(one["_id"])] = one["_source"]
        return found

    def _name(self, index: str | None) -> str:
        """Give the name of the index that is written."""
        name = index or self.options.index
        if not is_index(name):
            raise Reject("no index can be called so", fields=[BadField("index_name", f"has to be {RULE}")])
        if not self.options.may_write(name):
            problem = (
                "is an index that messages may not name: correct the message, or add it to the option "
                "'indexes' of the integration elastic"
            )
            raise Reject(f"the index {name!r} is not written", fields=[BadField("index_name", problem)])
        return name

    def _create(self, name: str) -> None:
        """Create an index with PACER's mapping where it is not there."""
        with self._lock:
            if name in self._there:
                return
            path = f"/{segment(name)}"
            if self._http.request("HEAD", path, expect=(200, 404)).status == 404:
                made = self._http.request("PUT", path, json=template()["template"], expect=(200, 400))
                if made.status == 400 and b"resource_already_exists_exception" not in made.body:
                    said = f"{made.what} was answered with 400: the index cannot be created"
                    if any(kind in made.body for kind in _NEVER):
                        raise Reject(said)
                    raise Retry(f"{said} for now: has the cluster room for another one?")
            self._there.add(name)
