"""The same client against DataCite's test system; needs an account there, so nobody else runs it.

``DATACITE_TEST_REPOSITORY``, ``DATACITE_TEST_PASSWORD`` and ``DATACITE_TEST_PREFIX`` name it, and
``DATACITE_TEST_PAGE`` a page in one of its domains. Only drafts are made, and deleted again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest

from pacer_core import Secret
from pacer_datacite import Datacite, DataciteOptions, Publisher
from pacer_datacite.integration import open_datacite
from pacer_datacite.metadata import document_of
from pacer_datacite.minting import mint
from plugins.pacer_datacite.tests.test_metadata import PROPOSAL

VARIABLES = ("REPOSITORY", "PASSWORD", "PREFIX", "PAGE")
GIVEN = {name: os.environ.get(f"DATACITE_TEST_{name}", "") for name in VARIABLES}

pytestmark = pytest.mark.skipif(
    not all(GIVEN.values()),
    reason="needs an account of DataCite's test system: DATACITE_TEST_REPOSITORY, ...",
)


@pytest.fixture
def live() -> Iterator[Datacite]:
    """Our client, on DataCite's test system."""
    options = DataciteOptions(
        system="test",
        repository=GIVEN["REPOSITORY"],
        password=Secret(GIVEN["PASSWORD"]),
        prefix=GIVEN["PREFIX"],
        landing_page=GIVEN["PAGE"] + "?doi={doi}",
        publisher=Publisher("PACER's tests"),
    )
    with open_datacite(options) as client:
        yield client


def test_a_draft_is_made_found_changed_and_deleted(live: Datacite) -> None:
    doi = f"{GIVEN['PREFIX']}/pacer-{uuid4().hex[:12]}"
    document = document_of(PROPOSAL, doi, live.options)
    assert live.look_up(doi) is None
    try:
        assert mint(live, document).state == "draft"
        assert mint(live, document).state == "draft"
        found = live.look_up(doi)
        assert found is not None
        assert found.url == document["url"]
        assert found.repository == GIVEN["REPOSITORY"].lower()
    finally:
        live._http.request("DELETE", f"/dois/{doi}", expect=(204, 404))
    assert live.look_up(doi) is None


def test_the_account_is_checked(live: Datacite) -> None:
    live.check()
