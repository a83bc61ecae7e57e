"""What we rely on in DataCite's REST API: of the stand-in always, of DataCite's test system where we may.

``DATACITE_TEST_REPOSITORY``, ``DATACITE_TEST_PASSWORD`` and ``DATACITE_TEST_PREFIX`` name an account there,
and ``DATACITE_TEST_PAGE`` a page in one of its domains. Only drafts are made, and deleted again. So the
stand-in is held to what the service does, and not to what we believe.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from attrs import define, evolve, field

from pacer_core import Secret
from pacer_datacite import Datacite, DataciteOptions
from pacer_datacite.client import MEDIA_TYPE
from pacer_datacite.metadata import document_of
from pacer_datacite.minting import mint
from pacer_http import Answer, Away, Conflict, Forbidden, HttpClient, Refused
from pacer_http.testing import StandIn
from plugins.pacer_datacite.tests.lupo import Lupo
from plugins.pacer_datacite.tests.support import PAGE, PASSWORD, PREFIX, REPOSITORY, options_of
from plugins.pacer_datacite.tests.test_metadata import PROPOSAL

VARIABLES = ("REPOSITORY", "PASSWORD", "PREFIX", "PAGE")
GIVEN = tuple(os.environ.get(f"DATACITE_TEST_{name}", "") for name in VARIABLES)


@define
class End:
    """A DataCite, and an account there."""

    url: str
    repository: str
    password: str
    prefix: str
    page: str
    opened: ExitStack = field(factory=ExitStack)
    made: list[str] = field(factory=list)

    @property
    def options(self) -> DataciteOptions:
        """Options that make drafts."""
        return options_of(
            system=self.url,
            repository=self.repository,
            password=Secret(self.password),
            prefix=self.prefix,
            landing_page=self.page + "?doi={doi}",
            state="draft",
        )

    def http(self, *, account: bool = True, password: str | None = None) -> HttpClient:
        """Open a client, with the account or as anybody."""
        secret = Secret(password or self.password)
        return self.opened.enter_context(
            HttpClient(
                "DataCite",
                self.url,
                account=(self.repository, secret) if account else None,
                timeout=timedelta(seconds=30),
                headers={"Accept": MEDIA_TYPE},
            )
        )

    def new(self) -> str:
        """Give a name that nobody has; what is there under it in the end is deleted."""
        doi = f"{self.prefix}/pacer-{uuid4().hex[:12]}"
        self.made.append(doi)
        return doi

    def put(self, doi: str, *, http: HttpClient | None = None, **attributes: Any) -> Answer:
        """Create or change a DOI."""
        document = {"data": {"type": "dois", "attributes": attributes}}
        client = http or self.http()
        return client.request("PUT", f"/dois/{doi}", json=document, content_type=MEDIA_TYPE)


@pytest.fixture(params=["stand-in", "live"])
def end(request: pytest.FixtureRequest, lupo: Lupo) -> Iterator[End]:
    """DataCite, once made by us and once by DataCite."""
    with ExitStack() as stack:
        if request.param == "stand-in":
            service = stack.enter_context(StandIn(lupo.answer))
            end = End(service.url, REPOSITORY, PASSWORD, PREFIX, PAGE)
        elif not all(GIVEN):
            pytest.skip("needs an account of DataCite's test system (DATACITE_TEST_...)")
        else:
            repository, password, prefix, page = GIVEN
            end = End("https://api.test.datacite.org", repository, password, prefix, page)
        stack.push(end.opened)
        yield end
        cleaner = end.http()
        for doi in end.made:
            cleaner.request("DELETE", f"/dois/{doi}", expect=(204, 404, 405))


def test_a_name_that_is_free_is_created_and_then_changed(end: End) -> None:
    doi = end.new()
    assert end.put(doi, url=end.page).status == 201
    assert end.put(doi, titles=[{"title": "A title"}]).status == 200
    held = end.http().request("GET", f"/dois/{doi}").json()["data"]["attributes"]
    assert held["url"] == end.page  # what was not sent stays
    assert held["titles"][0]["title"] == "A title"


def test_without_an_event_it_is_a_draft(end: End) -> None:
    answer = end.put(end.new(), url=end.page)
    assert answer.json()["data"]["attributes"]["state"] == "draft"


def test_a_name_is_lower_case_whatever_was_asked_for(end: End) -> None:
    doi = end.new()
    assert end.put(doi.upper(), url=end.page).json()["data"]["attributes"]["doi"] == doi
    assert end.http().request("GET", f"/dois/{doi.upper()}").json()["data"]["id"] == doi


def test_an_entry_names_its_repository(end: End) -> None:
    answer = end.put(end.new(), url=end.page)
    owner = answer.json()["data"]["relationships"]["client"]["data"]["id"]
    assert owner == end.repository.lower()


def test_a_draft_is_shown_to_its_repository_alone(end: End) -> None:
    doi = end.new()
    end.put(doi, url=end.page)
    assert end.http(account=False).request("GET", f"/dois/{doi}", expect=(404,)).status == 404
    assert end.http().request("GET", f"/dois/{doi}").status == 200


def test_a_name_that_nobody_has_is_not_found(end: End) -> None:
    assert end.http().request("GET", f"/dois/{end.new()}", expect=(404,)).status == 404


def test_a_draft_can_be_deleted(end: End) -> None:
    doi = end.new()
    end.put(doi, url=end.page)
    assert end.http().request("DELETE", f"/dois/{doi}").status == 204
    assert end.http().request("GET", f"/dois/{doi}", expect=(404,)).status == 404


def test_a_name_with_characters_that_no_doi_has_is_refused(end: End) -> None:
    with pytest.raises(Refused) as raised:
        end.put(f"{end.prefix}/pacer+plus", url=end.page)
    assert raised.value.status == 422


def test_a_payload_that_is_no_json_api_is_refused(end: End) -> None:
    with pytest.raises(Refused) as raised:
        end.http().request("PUT", f"/dois/{end.new()}", json={"doi": "x"}, content_type=MEDIA_TYPE)
    assert raised.value.status == 400


def test_nothing_is_published_without_metadata(end: End) -> None:
    with pytest.raises(Refused) as raised:
        end.put(end.new(), url=end.page, event="publish")
    assert raised.value.status == 422


def test_a_prefix_of_somebody_else_is_forbidden(end: End) -> None:
    with pytest.raises((Forbidden, Refused, Conflict)):
        end.put(f"10.5438/pacer-{uuid4().hex[:12]}", url=end.page)


def test_a_wrong_password_and_none_are_refused(end: End) -> None:
    doi = end.new()
    for http in (end.http(password="wrong"), end.http(account=False)):
        with pytest.raises((Away, Forbidden)):
            end.put(doi, http=http, url=end.page)


def test_our_client_mints_finds_and_checks(end: End) -> None:
    client = Datacite(end.options, end.http())
    client.check()
    doi = end.new()
    document = document_of(evolve(PROPOSAL, datasets=()), doi, end.options)
    assert client.look_up(doi) is None
    for _ in range(2):
        assert mint(client, document).state == "draft"
    found = client.look_up(doi)
    assert found is not None
    assert (found.doi, found.url, found.repository) == (doi, document["url"], end.repository.lower())
    assert found.local == "ALBA/20250330096/bl06"
