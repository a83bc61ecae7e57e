"""DataCite's REST API, as far as a DOI needs it (https://support.datacite.org/docs/api)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from attrs import frozen

from pacer_datacite.options import DataciteOptions
from pacer_datacite.pace import Pace
from pacer_http import Answer, Away, HttpClient, Refused, addressed

MEDIA_TYPE = "application/vnd.api+json"
ENOUGH = 60.0
"""Seconds to leave DataCite alone after a 429 that names no time: its firewall looks at five minutes."""
LOCAL = "ICAT investigation"
"""The ``alternateIdentifierType`` by which we know our own entries."""
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_TAKEN = "already been taken"


@frozen
class Entry:
    """A DOI as DataCite holds it."""

    doi: str
    state: str
    url: str | None
    repository: str | None
    local: str | None
    """What the entry itself says about the investigation that it stands for."""


class Datacite:
    """One repository at DataCite: ``ctx[DATACITE]``; safe to use from many threads."""

    def __init__(self, options: DataciteOptions, http: HttpClient, pace: Pace | None = None) -> None:
        self.options = options
        self._http = http
        self._pace = pace or Pace(options.requests_in_five_minutes)

    def look_up(self, doi: str) -> Entry | None:
        """Give what DataCite holds under a DOI, drafts included, or ``None``.

        Raises
        ------
        Away, Forbidden, Refused
            As `pacer_http` says.
        """
        answer = self._send("GET", doi, expect=(200, 404))
        return None if answer.status == 404 else _entry(answer)

    def put(self, doi: str, attributes: Mapping[str, Any]) -> Entry | None:
        """Create a DOI or change it, whichever it takes; safe to repeat. ``None`` where another has taken it.

        Raises
        ------
        Refused
            Where DataCite refuses the metadata or the URL; says which.
        Away, Forbidden
            As `pacer_http` says.
        """
        document = {"data": {"type": "dois", "attributes": dict(attributes)}}
        answer = self._send("PUT", doi, json=document, expect=(200, 201, 409, 422))
        if answer.status in (200, 201):
            return _entry(answer)
        titles = list(_titles(answer))
        if answer.status == 409 or any(_TAKEN in title for _, title in titles):
            return None
        words = "; ".join(f"{source}: {title}" if source else title for source, title in titles)
        raise Refused(f"DataCite refuses {doi}: {words or 'without a reason'}", answer)

    def check(self) -> None:
        """Ask DataCite for something harmless that needs the account.

        Raises
        ------
        Away, Forbidden
            Where it is away, or refuses the account.
        """
        with addressed("system", self.options.url, "production, test, or the root of DataCite's REST API"):
            # A DOI that is not there is told in JSON, an address that is not there in whatever words.
            self._send("GET", f"{self.options.prefix}/pacer-check", expect=(200, 404)).entries()

    def _send(self, method: str, doi: str, **more: Any) -> Answer:
        wait = self._pace.take()
        if wait:
            raise Away(f"DataCite: {method} of {doi} waits, so as not to ask too often", after=wait)
        try:
            return self._http.request(method, f"/dois/{quote(doi)}", content_type=MEDIA_TYPE, **more)
        except Away as problem:
            if problem.status == 429:
                self._pace.rest(problem.after or ENOUGH)
                if problem.after is None:
                    raise Away(str(problem), problem.answer, after=ENOUGH) from problem
            raise


def _entry(answer: Answer) -> Entry:
    """Read a JSON:API document; whatever else says 200 is not DataCite."""
    data = answer.entries().get("data")
    attributes = data.get("attributes") if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(attributes, Mapping):
        raise Away(f"{answer.what} was answered with {answer.status} and no DOI", answer)
    return Entry(
        doi=str(attributes.get("doi") or data.get("id") or "").lower(),
        state=str(attributes.get("state") or "draft"),
        url=attributes.get("url") or None,
        repository=_repository(data),
        local=_local(attributes),
    )


def _repository(data: Mapping[str, Any]) -> str | None:
    found: Any = data
    for step in ("relationships", "client", "data", "id"):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found.lower() if isinstance(found, str) else None


def _local(attributes: Mapping[str, Any]) -> str | None:
    for one in attributes.get("alternateIdentifiers") or ():
        if isinstance(one, Mapping) and one.get("alternateIdentifierType") == LOCAL:
            return str(one.get("alternateIdentifier"))
    return None


def _titles(answer: Answer) -> Iterator[tuple[str, str]]:
    """Give source and title of each error, without what is quoted in them: that may be somebody's name."""
    found = answer.entries().get("errors")
    for one in found if isinstance(found, list) else ():
        if isinstance(one, Mapping):
            title = _QUOTED.sub("'...'", " ".join(str(one.get("title") or "").split()))
            yield str(one.get("source") or ""), title[:300]
