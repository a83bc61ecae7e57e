"""What the tests of pacer-datacite share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from pacer_core import Delivery, Secret
from pacer_core.testing import deliver
from pacer_datacite import (
    DATACITE,
    Datacite,
    DataciteOptions,
    Funder,
    Publisher,
    Rights,
    mint_proposal,
    store_doi,
)
from pacer_datacite.client import MEDIA_TYPE
from pacer_http import HttpClient
from pacer_http.testing import StandIn
from pacer_icat import ICAT, Bean, IcatClient, ref
from pacer_icat.client import Shared
from pacer_icat.operations.task import OPERATIONS
from plugins.pacer_icat.tests.support import change

Send = Callable[..., Delivery]

REPOSITORY, PASSWORD, PREFIX = "ALBA.DATA", "correct horse", "10.5072"
NAME, VISIT = "20250330096", "bl06"
DOI = "10.5072/20250330096-bl06-kgqayzwk"
PAGE = f"https://data.example.org/doi/{DOI}"

OPTIONS: dict[str, Any] = {
    "repository": REPOSITORY,
    "password": Secret(PASSWORD),
    "prefix": PREFIX,
    "landing_page": "https://data.example.org/doi/{doi}",
    "publisher": Publisher("ALBA Synchrotron", "https://ror.org/02j9n6e35"),
    "rights": Rights(
        "Creative Commons Attribution 4.0 International",
        "https://creativecommons.org/licenses/by/4.0/legalcode",
        "CC-BY-4.0",
    ),
    "funder": Funder("ALBA Synchrotron", "https://ror.org/02j9n6e35"),
    "language": "en",
    "state": "findable",
}

CONSUMER = OPERATIONS.with_tasks([mint_proposal, store_doi])


def options_of(**changes: Any) -> DataciteOptions:
    """Give the options of a repository on DataCite's test system."""
    return DataciteOptions(**{"system": "test", **OPTIONS, **changes})


@contextmanager
def client_of(service: StandIn, **changes: Any) -> Iterator[Datacite]:
    """Give a client of the stand-in that does not wait between its tries."""
    options = options_of(system=service.url, **changes)
    with HttpClient(
        "DataCite",
        options.url,
        account=(options.repository, options.password),
        timeout=changes.get("timeout", timedelta(seconds=20)),
        headers={"Accept": MEDIA_TYPE},
        contact=options.contact,
        delays=(0, 0),
    ) as http:
        yield Datacite(options, http)


def message(**changes: Any) -> dict[str, Any]:
    """Give a message; ``None`` leaves a field out."""
    whole = {"name": NAME, "visit_id": VISIT, "operations": ["mint-proposal"], **changes}
    return {name: value for name, value in whole.items() if value is not None}


def deliver_to(
    icat: IcatClient, datacite: Datacite, *, twice: bool = True, after: Delivery | None = None, **changes: Any
) -> Delivery:
    """Send a message through both tasks."""
    return deliver(
        CONSUMER,
        json.dumps(message(**changes)),
        integrations={ICAT: icat, DATACITE: datacite},
        twice=twice,
        after=after,
    )


def complete(shared: Shared) -> None:
    """Write into the demo's investigation what a user office and a beamline would have written."""
    wire = shared.wire
    (investigation,) = wire.search("SELECT o.id FROM Investigation o WHERE o.name = :name", name=NAME)
    add_dataset(shared, investigation)
    change(
        shared,
        summary="Reference samples\n  were measured.",
        releaseDate=datetime.fromisoformat("2028-07-17T00:00:00+02:00"),
    )
    (jane,) = wire.search("SELECT u.id FROM User u WHERE u.name = 'db/jdoe'")
    record = wire.read("User", jane)
    assert record is not None
    wire.update(record, orcidId="0000-0002-1825-0097", affiliation="University of Somewhere")


def add_dataset(shared: Shared, investigation: int) -> None:
    """Give an investigation something that can be published."""
    kind = ref("DatasetType", shared.catalogue.dataset_type("acquisition"))
    owner = ref("Investigation", investigation)
    values = {"name": "run1", "complete": True, "investigation": owner, "type": kind, "doi": "10.5072/run1"}
    shared.wire.create(Bean("Dataset", values))


def doi_in_icat(shared: Shared) -> str | None:
    """Give the DOI that ICAT holds for the demo's investigation."""
    (found,) = shared.wire.search("SELECT o FROM Investigation o WHERE o.name = :name", name=NAME)
    doi: str | None = found["doi"]
    return doi


def attributes(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give what DataCite holds, as one compares it."""
    return {name: value for name, value in stored.items() if name != "event"}
