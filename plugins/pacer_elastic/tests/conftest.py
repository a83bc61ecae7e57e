"""An Elasticsearch, real or not, the demo facility in a sandbox, and messages through the tasks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from uuid import uuid4

import attrs
import pytest
from attrs import define

from pacer_core import ConsumerType, Delivery, IntegrationType
from pacer_core.testing import deliver
from pacer_elastic import (
    DATASET_INDEX,
    ELASTIC,
    Elastic,
    ElasticOptions,
    index_counted_dataset,
    index_linked_dataset,
    index_stored_dataset,
    reindex_investigation,
)
from pacer_http import HttpClient
from pacer_http.testing import StandIn
from pacer_icat import ICAT, IcatClient
from pacer_icat.datasets.task import DATASETS
from pacer_icat.links.task import DATASET_LINKS
from pacer_icat.operations.options import OperationsOptions
from pacer_icat.operations.task import OPERATIONS
from pacer_icat.totals.task import DATASET_STATISTICS
from pacer_sandbox import IcatSandbox
from plugins.pacer_elastic.tests.node import Node
from plugins.pacer_icat.tests.support import dataset_message, icat_client

REINDEX = OPERATIONS.with_tasks([reindex_investigation])
STORED = DATASETS.with_tasks([index_stored_dataset])
COUNTED = DATASET_STATISTICS.with_tasks([index_counted_dataset])
LINKED = DATASET_LINKS.with_tasks([index_linked_dataset])


@define
class Facility:
    """ICAT, an Elasticsearch, and processes that come and go between them."""

    icat: IcatClient
    options: ElasticOptions

    def client(self, stack: ExitStack, cls: Callable[..., HttpClient] = HttpClient) -> Elastic:
        """Give a client that asks again at once."""
        http = cls(
            "Elasticsearch",
            self.options.url,
            timeout=self.options.timeout,
            delays=(0, 0),
            **self.options.credentials,
        )
        return Elastic(self.options, stack.enter_context(http))

    def send(
        self,
        consumer: ConsumerType,
        message: dict[str, Any],
        *,
        twice: bool = True,
        after: Delivery | None = None,
        cls: Callable[..., HttpClient] = HttpClient,
        options: Any = None,
    ) -> Delivery:
        """Send a message through a consumer type, in a process of its own."""
        with ExitStack() as stack:
            clients: dict[IntegrationType[Any], Any] = {ICAT: self.icat, ELASTIC: self.client(stack, cls)}
            return deliver(
                consumer,
                json.dumps(message),
                integrations=clients,
                options=options,
                twice=twice,
                after=after,
            )

    def store(self, *, twice: bool = True, **changes: Any) -> Delivery:
        """Store and index a dataset."""
        return self.send(STORED, dataset_message(**changes), twice=twice)

    def index(self, dataset: int, **more: Any) -> Delivery:
        """Index one dataset by its id."""
        index = {"index_name": more.pop("index_name")} if "index_name" in more else {}
        return self.send(DATASET_INDEX, {"dataset_id": dataset, **index}, **more)

    def reindex(self, **more: Any) -> Delivery:
        """Index an investigation."""
        message = {"name": "20250330096", "visit_id": "bl06", "operations": ["reindex"]}
        return self.send(REINDEX, message, options=OperationsOptions(("mint", "reindex")), **more)

    def configure(self, **changes: Any) -> None:
        """Change the options."""
        self.options = attrs.evolve(self.options, **changes)

    def documents(self, index: str | None = None) -> dict[str, dict[str, Any]]:
        """Give what can be found, by id."""
        name = index or self.options.index
        with HttpClient("test", self.options.url, timeout=timedelta(seconds=20)) as http:
            http.request("POST", f"/{name}/_refresh")
            found = http.request("POST", f"/{name}/_search", json={"size": 1000}).entries()
        return {hit["_id"]: hit["_source"] for hit in found["hits"]["hits"]}


@pytest.fixture
def icat(icat_server: IcatSandbox) -> Iterator[IcatClient]:
    """ICAT with the demo facility."""
    with icat_client(icat_server) as icat:
        yield icat


@pytest.fixture
def node() -> Node:
    """What the stand-in holds."""
    return Node()


@pytest.fixture
def service(node: Node) -> Iterator[StandIn]:
    """The stand-in at the wire."""
    with StandIn(node.answer) as service:
        yield service


@pytest.fixture
def facility(icat: IcatClient, service: StandIn) -> Facility:
    """A facility with the stand-in."""
    return Facility(icat, ElasticOptions(service.url, timeout=timedelta(seconds=20)))


@pytest.fixture(params=["stand-in", "elasticsearch", "opensearch"])
def either(request: pytest.FixtureRequest, icat: IcatClient) -> Facility:
    """A facility with the stand-in, and one with each real node."""
    if request.param == "stand-in":
        facility: Facility = request.getfixturevalue("facility")
        return facility
    url = request.getfixturevalue(request.param).url
    return Facility(icat, ElasticOptions(url, index=f"datasets-{uuid4()}"))


@pytest.fixture
def dataset(icat: IcatClient) -> Callable[..., int]:
    """Store a dataset without indexing it; give its id."""

    def store(name: str = "run1", **changes: Any) -> int:
        message = dataset_message(name=name, location=f"/data/visit/{name}", **changes)
        delivery = deliver(DATASETS, json.dumps(message), integrations={ICAT: icat})
        assert delivery.error is None
        return int(delivery.facts["dataset_id"])

    return store
