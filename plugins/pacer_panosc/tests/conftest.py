"""Stand-ins for both services, the demo facility in a sandbox, and a message's way through the tasks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest
from attrs import define

from pacer_core import Delivery, IntegrationType
from pacer_core.testing import deliver
from pacer_http import HttpClient
from pacer_http.testing import StandIn
from pacer_icat import ICAT, IcatClient
from pacer_icat.datasets.task import DATASETS
from pacer_icat.operations.task import OPERATIONS
from pacer_panosc import PANOSC, Panosc, PanoscOptions, create_panosc_item, recompute_scores
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.support import change, dataset_message, deliver_to, icat_client
from plugins.pacer_panosc.tests.services import Pss, SearchApi

NAME, VISIT, DOI = "20250330096", "bl06", "10.5072/es-20250330096"
TASKS = OPERATIONS.with_tasks([create_panosc_item, recompute_scores])
Send = Callable[..., Delivery]


def document(pid: str = DOI, **changes: Any) -> dict[str, Any]:
    """Give a document as the search API has it, with what was asked for to be included."""
    return {
        "pid": pid,
        "isPublic": True,
        "type": "proposal",
        "title": "Diffraction of samples",
        "summary": "Reference samples were measured.",
        "doi": DOI,
        "startDate": "2025-07-14T00:00:00.000Z",
        "keywords": ["protein", "lysozyme"],
        "members": [{"role": "PI", "person": {"fullName": "Jane Doe", "orcid": "x"}}],
        "parameters": [{"name": "wavelength", "value": 0.98, "unit": "angstrom"}],
        **changes,
    }


FIELDS = {
    "title": "Diffraction of samples",
    "summary": "Reference samples were measured.",
    "keywords": ["lysozyme", "protein"],
    "parameters": ["wavelength 0.98 angstrom"],
    "members": ["Jane Doe"],
}
ITEM = {"id": DOI, "group": "documents", "fields": FIELDS}


@define
class Facility:
    """ICAT, both services, and processes that come and go between them."""

    icat: IcatClient
    search: StandIn
    scoring: StandIn
    options: PanoscOptions

    def panosc(self, stack: ExitStack, cls: Callable[..., HttpClient] = HttpClient) -> Panosc:
        """Give a client that asks again at once."""
        account = None
        if self.options.username is not None and self.options.password is not None:
            account = (self.options.username, self.options.password)
        clients = [
            stack.enter_context(cls(name, url, timeout=self.options.timeout, account=account, delays=(0, 0)))
            for name, url in (
                ("the search API", self.options.search_url),
                ("the scoring service", self.options.scoring_url),
            )
        ]
        return Panosc(self.options, *clients)

    def send(
        self,
        *,
        twice: bool = True,
        after: Delivery | None = None,
        cls: Callable[..., HttpClient] = HttpClient,
        **changes: Any,
    ) -> Delivery:
        """Send a message through both tasks, in a process of its own."""
        whole = {"name": NAME, "visit_id": VISIT, "operations": ["create-panosc-item"], **changes}
        body = json.dumps({name: value for name, value in whole.items() if value is not None})
        with ExitStack() as stack:
            clients: dict[IntegrationType[Any], Any] = {ICAT: self.icat, PANOSC: self.panosc(stack, cls)}
            return deliver(TASKS, body, integrations=clients, twice=twice, after=after)

    def configure(self, **changes: Any) -> None:
        """Change the options."""
        self.options = attrs.evolve(self.options, **changes)


@pytest.fixture(params=[True, False], ids=["reference", "datagateway"])
def search_api(request: pytest.FixtureRequest) -> SearchApi:
    """What the search API has, in both implementations."""
    return SearchApi(request.param, [document(), document("10.5072/other", title="Another")])


@pytest.fixture
def pss() -> Pss:
    """What the scoring service has."""
    return Pss()


@pytest.fixture
def icat(icat_server: IcatSandbox) -> Iterator[IcatClient]:
    """ICAT with an investigation that has ended, is public, and has a dataset and a DOI."""
    with icat_client(icat_server) as icat:
        change(icat.shared, doi=DOI, releaseDate=datetime.fromisoformat("2025-09-01T00:00:00+02:00"))
        assert deliver_to(DATASETS, dataset_message(), icat, twice=False).error is None  # minting needs one
        yield icat


@pytest.fixture
def facility(icat: IcatClient, search_api: SearchApi, pss: Pss) -> Iterator[Facility]:
    """Everything that a message passes; the weights are computed at once."""
    with StandIn(search_api.answer) as search, StandIn(pss.answer) as scoring:
        options = PanoscOptions(
            f"{search.url}/api",
            scoring.url,
            recompute_after=timedelta(0),
            timeout=timedelta(seconds=20),
        )
        yield Facility(icat, search, scoring, options)
