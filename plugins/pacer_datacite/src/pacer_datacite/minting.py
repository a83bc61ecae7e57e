"""One DOI, whatever has happened before: look up, compare, put. Every step may be repeated."""

from __future__ import annotations

from typing import Any

from pacer_core import Reject, Retry
from pacer_datacite.client import LOCAL, Datacite, Entry
from pacer_datacite.metadata import attributes_of
from pacer_datacite.options import State
from pacer_datacite.schema import problems

RANKS: dict[str, int] = {"draft": 0, "registered": 1, "findable": 2}
_EVENTS: dict[str, str] = {"registered": "register", "findable": "publish"}


def foresee(datacite: Datacite, document: dict[str, Any]) -> tuple[Entry | None, str]:
    """Give what DataCite holds under a document's DOI, and the state in which `mint` would leave it.

    Raises
    ------
    Reject, Retry
        As `mint`, as far as that can be told without writing.
    """
    _check(document)
    found = datacite.look_up(document["doi"])
    if found is not None:
        _ours(found, document, datacite)
    wanted = datacite.options.state
    return found, wanted if found is None or _event(found, wanted) else found.state


def mint(datacite: Datacite, document: dict[str, Any]) -> Entry:
    """Make DataCite hold a document under its DOI, in the state that the options name or a later one.

    A DOI that is there is brought up to date; none ever goes back to an earlier state.

    Raises
    ------
    Reject
        Where the document breaks schema 4.5, DataCite refuses it, or the DOI is not ours.
    Retry
        Where DataCite is away.
    """
    doi = document["doi"]
    _check(document)
    wanted = datacite.options.state
    for _ in range(2):
        found = datacite.look_up(doi)
        if found is not None:
            _ours(found, document, datacite)
        stored = datacite.put(doi, attributes_of(document, _event(found, wanted)))
        if stored is not None:
            break  # otherwise somebody, another process of ours perhaps, was faster: look again
    else:
        if found is None:
            raise Reject(
                f"DataCite says that {doi} is taken, and does not show it to {datacite.options.repository}: "
                f"it belongs to another repository; choose another prefix or suffix"
            )
        raise Retry(f"DataCite says that {doi} is taken, although it is ours")
    if RANKS.get(stored.state, 0) < RANKS[wanted]:
        raise Reject(f"DataCite has taken {doi} and left it {stored.state}, not {wanted}: look at it there")
    return stored


def _check(document: dict[str, Any]) -> None:
    if wrong := problems(document):
        raise Reject(
            f"the metadata of {document['doi']} would not be valid; correct them in ICAT", fields=wrong
        )


def _event(found: Entry | None, wanted: State) -> str | None:
    """Give the change of state that is needed; only forward, and a draft needs none."""
    now = 0 if found is None else RANKS.get(found.state, 0)
    return _EVENTS[wanted] if RANKS[wanted] > now else None


def _ours(found: Entry, document: dict[str, Any], datacite: Datacite) -> None:
    """Refuse an entry that somebody else has made."""
    doi, repository = document["doi"], datacite.options.repository
    local = next(
        one["alternateIdentifier"]
        for one in document["alternateIdentifiers"]
        if one["alternateIdentifierType"] == LOCAL
    )
    if found.repository is not None and found.repository != repository.lower():
        reason = f"belongs to the repository {found.repository}"
    elif found.local is not None and found.local != local:
        reason = f"stands for {found.local}"
    elif found.url != document["url"] and (found.url is not None or found.state != "draft"):
        reason = f"leads to {found.url}; where that page has moved, change its URL at DataCite first"
    else:
        return
    raise Reject(f"{doi} is at DataCite already, and {reason}: it is not touched")
