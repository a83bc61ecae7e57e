"""A stand-in for DataCite's REST API: as much of lupo's behaviour as a repository meets.

lupo is the program behind api.datacite.org (https://github.com/datacite/lupo). Each rule names where it comes
from: its published description (``openapi.yaml``), the guides on support.datacite.org, or its source.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from attrs import define, field

from pacer_http.testing import Reply, Request

JSON_API = {"Content-Type": "application/vnd.api+json; charset=utf-8"}
RANKS = {"draft": 0, "registered": 1, "findable": 2}
EVENTS = {
    # source, model Doi: publish and register lead forward, hide takes a findable one back to registered; an
    # event that does not fit the state is no error and changes nothing; nothing leads back to draft
    "publish": {"draft": "findable", "registered": "findable"},
    "register": {"draft": "registered"},
    "show": {"registered": "findable"},
    "hide": {"findable": "registered"},
}
CONTRIBUTORS = {
    *("ContactPerson", "DataCollector", "DataCurator", "DataManager", "Distributor", "Editor"),
    *("HostingInstitution", "Producer", "ProjectLeader", "ProjectManager", "ProjectMember"),
    *("RegistrationAgency", "RegistrationAuthority", "RelatedPerson", "Researcher"),
    *("ResearchGroup", "RightsHolder", "Sponsor", "Supervisor", "WorkPackageLeader", "Other"),
}


@define
class Repository:
    """An account, with its prefixes and the domains that its DOIs may lead to."""

    id: str
    password: str
    prefixes: tuple[str, ...]
    domains: tuple[str, ...]


@define
class Doi:
    """One DOI."""

    name: str
    repository: str
    state: str = "draft"
    attributes: dict[str, Any] = field(factory=dict)
    writes: int = 0


class Lupo:
    """Repositories and DOIs; `answer` is what a `pacer_http.testing.StandIn` wants."""

    def __init__(self, *repositories: Repository) -> None:
        self.repositories = {one.id.lower(): one for one in repositories}
        self.dois: dict[str, Doi] = {}
        self.hidden: set[str] = set()
        """DOIs whose drafts nobody is shown, though they are taken."""

    def answer(self, request: Request) -> Reply:
        """Do what a request asks for."""
        if request.path == "/heartbeat":
            return Reply(b"OK", headers={"Content-Type": "text/plain"})
        who = self._who(request)
        if isinstance(who, Reply):
            return who
        name = unquote(request.path.removeprefix("/dois/")).lower()  # guide, DOI basics: case does not count
        if request.method == "GET":
            return self._show(name, who)
        if who is None:
            return refused(401, "Bad credentials.")  # source, ErrorSerializable: anonymous writes as well
        if request.method in ("PUT", "PATCH"):
            return self._upsert(name, request, who)
        if request.method == "DELETE":
            return self._destroy(name, who)
        return refused(405, "Method not allowed")

    def _who(self, request: Request) -> Repository | Reply | None:
        """Guide, authentication: Basic, with the repository's identifier and its password or a key."""
        given = request.headers.get("authorization", "")
        if not given:
            return None
        account, _, password = base64.b64decode(given.removeprefix("Basic ")).decode().partition(":")
        found = self.repositories.get(account.lower())
        return found if found is not None and found.password == password else refused(401, "Bad credentials.")

    def _show(self, name: str, who: Repository | None) -> Reply:
        found = self.dois.get(name)
        # source, dois#show: what is not findable exists for its own repository alone
        visible = found is not None and (
            found.state == "findable" or (who is not None and who.id.lower() == found.repository)
        )
        if found is None or not visible or name in self.hidden:
            return refused(404, "The resource you are looking for doesn't exist.")
        return Reply(_document(found), 200, JSON_API)

    def _upsert(self, name: str, request: Request, who: Repository) -> Reply:
        """openapi.yaml, PUT /dois/{id}: updates, or creates where the name is free."""
        given = _attributes(request)
        if given is None:
            return refused(400, "You need to provide a payload following the JSONAPI spec")
        found = self.dois.get(name)
        if name in self.hidden:
            return refused(422, "This DOI has already been taken", "doi")
        if found is not None and found.repository != who.id.lower():
            return refused(403, "You are not authorized to access this resource.")
        if found is None and name.partition("/")[0] not in who.prefixes:
            return refused(403, "You are not authorized to access this resource.")  # guide: foreign prefix
        # source, model Doi: the name is looked at where it is made
        if found is None and not re.fullmatch(r"10\.\d{4,5}/[-._;()/:a-z0-9*~$=]+", name):
            return refused(422, "Is invalid", "doi")
        # source, dois#update: only what is sent changes; the name and the owner never do
        merged = dict(found.attributes) if found else {}
        merged |= {key: value for key, value in given.items() if key not in ("event", "doi", "client")}
        event = given.get("event")
        state = found.state if found else "draft"
        state = EVENTS.get(str(event), {}).get(state, state)
        if wrong := _problems(merged, state, who):
            return refused(422, wrong[1], wrong[0])
        status = 200 if found else 201
        entry = found or Doi(name, who.id.lower())
        entry.attributes, entry.state, entry.writes = merged, state, entry.writes + 1
        self.dois[name] = entry
        return Reply(_document(entry), status, JSON_API)

    def _destroy(self, name: str, who: Repository) -> Reply:
        """openapi.yaml, DELETE /dois/{id}: drafts only."""
        found = self.dois.get(name)
        if found is None or found.repository != who.id.lower():
            return refused(404, "The resource you are looking for doesn't exist.")
        if found.state != "draft":
            return refused(405, "Method not allowed")
        del self.dois[name]
        return Reply(b"", 204)


def refused(status: int, title: str, source: str | None = None) -> Reply:
    """source, ErrorSerializable: a list of errors, with the status as text or the field that is wrong."""
    error = {"status": str(status), "title": title} if source is None else {"source": source, "title": title}
    return Reply({"errors": [error]}, status, JSON_API)


def _attributes(request: Request) -> dict[str, Any] | None:
    try:
        data = json.loads(request.body)["data"]
        return dict(data["attributes"]) if data["type"] == "dois" else None
    except (ValueError, KeyError, TypeError):
        return None


def _problems(given: Mapping[str, Any], state: str, who: Repository) -> tuple[str, str] | None:
    """What the models Doi and Url refuse, and what the XSD does of DOIs that are no drafts."""
    url = given.get("url")
    if url is not None:
        host = urlsplit(url).hostname or ""
        if not re.fullmatch(r"(ftp|https?)://\S+", url):
            return "url", "URL is not valid"
        if not any(host == domain or host.endswith(f".{domain}") for domain in who.domains):
            return "url", f"{url} is not allowed by repository {who.id} domain settings."  # guide: domains
    for one in given.get("contributors", ()):
        if one.get("contributorType") not in CONTRIBUTORS:
            return "contributors", f"Contributor type {one.get('contributorType')} is not supported"
    if not isinstance(given.get("publicationYear", 0), int):  # openapi.yaml: an integer
        return "publication_year", "is not a number"
    if any(len(one.get("rights") or "") > 2000 for one in given.get("rightsList", ())):
        return "rights_list", "is too long"
    if state == "draft":
        return None  # guide, DOI states: a draft needs nothing but its name
    if not url:
        return "url", "Can't be blank"
    for name in ("creators", "titles", "publisher", "publicationYear", "types"):
        if not given.get(name):
            return name, f"DOI: Missing child element(s). Expected is one of ( {name} ). at line 4, column 0"
    if not given["types"].get("resourceTypeGeneral"):
        return "types", "The value '' is not accepted"
    return None


def _document(entry: Doi) -> dict[str, Any]:
    """openapi.yaml: the name in lower case, and the owner as a relationship."""
    return {
        "data": {
            "id": entry.name,
            "type": "dois",
            "attributes": {**entry.attributes, "doi": entry.name, "state": entry.state},
            "relationships": {"client": {"data": {"id": entry.repository, "type": "clients"}}},
        }
    }
