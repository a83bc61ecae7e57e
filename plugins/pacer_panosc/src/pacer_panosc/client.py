"""The search API and the scoring service, as far as items need them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from pacer_core import NotYet, Reject, Retry
from pacer_http import Away, HttpClient, addressed, segment
from pacer_panosc.options import PanoscOptions

_TRIES = 4
_INCLUDE = [
    {"relation": "members", "scope": {"include": [{"relation": "person"}]}},
    {"relation": "parameters"},
]


@frozen
class Item:
    """What the scoring service makes weights of: every text in ``fields`` becomes terms."""

    id: str
    group: str
    fields: Mapping[str, Any]


@frozen
class Run:
    """The scoring service's last computation of weights; ``requested`` is ``None`` where there was none."""

    requested: str | None
    in_progress: bool
    percent: float | None = None


class Panosc:
    """A facility's part of PaNOSC's search; safe to use from many threads."""

    def __init__(self, options: PanoscOptions, search: HttpClient, scoring: HttpClient) -> None:
        self.options = options
        self._search, self._scoring = search, scoring

    def check(self) -> None:
        """Ask both services for something harmless.

        Raises
        ------
        HttpProblem
            Where one of them is away, refuses us, or is not what its URL should lead to.
        """
        options = self.options
        search = "the search API, up to what stands before /Documents"
        scoring = "the scoring service, up to what stands before /items"
        with addressed("searchUrl", options.search_url, search):
            self._documents({"limit": 1})
        with addressed("scoringUrl", options.scoring_url, scoring):
            self._scoring.request("GET", "/items/count").entries()

    def document(self, pid: str) -> Mapping[str, Any]:
        """Give the public document of that name.

        Raises
        ------
        NotYet
            Where there is none: it does not exist, or is not public yet.
        Reject
            Where there are several.
        Retry
            Where the service gives other documents than it was asked for.
        """
        found = self._documents({"where": {"pid": pid}, "limit": 2, "include": _INCLUDE})
        if any(str(one.get("pid")).lower() != pid.lower() for one in found):
            raise Retry("the search API gave documents that it was not asked for: it ignores our filter")
        if not found:
            raise NotYet(f"the search API has no public document {pid!r}")
        if found[0].get("pid") in (".", ".."):
            raise Reject(
                "a document of that pid cannot be an item: it is of dots alone; choose another 'pid'"
            )
        if len(found) > 1:
            raise Reject(f"the search API has several documents {pid!r}: its pid should tell them apart")
        return found[0]

    def held(self, id_: str) -> Item | None:
        """Give what the scoring service holds under an id, or ``None``."""
        answer = self._scoring.request("GET", f"/items/{segment(id_)}", expect=(200, 404))
        if answer.status == 404:
            return None
        held = answer.entries()
        return Item(str(held.get("id")), str(held.get("group")), held.get("fields") or {})

    def put(self, item: Item) -> bool:
        """Bring the scoring service to hold an item as it is; say whether anything had to be done.

        Raises
        ------
        HttpProblem
            Where the service does not answer, or refuses.
        Retry
            Where others write the same item again and again.
        """
        for attempt in range(_TRIES):
            held = self.held(item.id)
            if held == item:
                return attempt > 0
            if held is None:
                self._create(item)
            elif "/" in item.id:
                # Its PUT and PATCH do not take an id with a slash.
                self._scoring.request("DELETE", f"/items/{segment(item.id)}")
                self._create(item)
            else:
                # What it answers to a PUT does not tell whether it has worked: the next look does.
                changed = {"group": item.group, "fields": item.fields}
                self._scoring.request("PUT", f"/items/{segment(item.id)}", json=changed)
        if self.held(item.id) == item:
            return True
        raise Retry(f"the scoring service does not keep item {item.id!r} as it was sent")

    def last_run(self) -> Run:
        """Give how it stands with the computation of weights; 404 means that there was none."""
        answer = self._scoring.request("GET", "/compute", expect=(200, 404))
        return Run(None, in_progress=False) if answer.status == 404 else _run(answer.entries())

    def compute(self) -> bool:
        """Ask for the weights to be computed anew, of all items; ``False`` where a run is in progress."""
        return self._scoring.request("POST", "/compute", expect=(200, 409)).status == 200

    def _documents(self, filter_: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        # Only ``filter`` is understood by both implementations; the reference one ignores ``where``.
        answer = self._search.request(
            "GET", "/Documents", params={"filter": json.dumps(filter_, separators=(",", ":"))}
        )
        found = answer.json()
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise Away(f"{answer.what} was answered with something that is no list of documents", answer)
        return found

    def _create(self, item: Item) -> None:
        whole = {"id": item.id, "group": item.group, "fields": item.fields}
        answer = self._scoring.request("POST", "/items/", json=whole, expect=(201, 400), repeatable=True)
        if answer.status == 400 and b"DuplicateKey" not in answer.body:
            raise Reject(f"{answer.what} was answered with 400: the scoring service refuses the item")


def _run(status: Mapping[str, Any]) -> Run:
    requested, percent = status.get("requested"), status.get("progressPercent")
    return Run(
        None if requested is None else str(requested),
        in_progress=status.get("inProgress") is True,
        percent=percent if isinstance(percent, int | float) else None,
    )
