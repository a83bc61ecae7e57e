"""A private Elasticsearch or OpenSearch node, whose jars come from Maven Central."""

from __future__ import annotations

import os
import random
import re
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from attrs import frozen

from tests.services.base import Nest, ServiceFailedError, program, wait_until
from tests.services.jars import Jars


@frozen
class Product:
    """What runs: its name, its version, and the class that starts a node."""

    name: str
    version: str
    runner: str

    @property
    def jars(self) -> Jars:
        """What Maven is told to fetch."""
        pom = Path(__file__).with_name(f"{self.name.lower()}.pom.xml")
        return Jars(self.name, self.version, pom)


ELASTICSEARCH = Product(
    "Elasticsearch", "7.10.2", "org.codelibs.elasticsearch.runner.ElasticsearchClusterRunner"
)
OPENSEARCH = Product("OpenSearch", "2.19.1", "org.codelibs.opensearch.runner.OpenSearchRunner")
FIRST, LAST = 9200, 9290
"""The runner takes the first free port after the one that it is given, up to 9299; nodes begin apart."""
_PORT = re.compile(r"publish_address \{127\.0\.0\.1:(92\d\d)\}")


class Elasticsearch:
    """An Elasticsearch, or an OpenSearch, of one's own: one node without accounts; a context manager.

    Raises
    ------
    ServiceMissingError
        Where Java is not installed, or the jars cannot be had.
    ServiceFailedError
        Where it does not start.
    """

    def __init__(self, product: Product = ELASTICSEARCH) -> None:
        self._product = product
        java = program("java", package="default-jre-headless")
        self._command = [
            java,
            "-Xms256m",
            "-Xmx512m",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            f"{product.jars.folder()}/*",
            product.runner,
        ]
        self._nest = Nest(product.name.lower())
        try:
            for last in (False, True):
                if self._starts(last):
                    return
        except BaseException:
            self._nest.close()
            raise

    def _starts(self, last: bool) -> bool:
        """Start the node; another one may take its port just before it does, and it tries once more."""
        name = f"pacer-{uuid4()}"  # of the cluster: nodes of one name on one machine find each other
        self._log = self._nest.folder / f"{name}.log"
        self._process = self._nest.start(
            *self._command, "-basePath", str(self._nest.folder / name), "-numOfNode", "1",
            "-baseHttpPort", str(random.randint(FIRST, LAST)), "-clusterName", name,
            env=dict(os.environ), log=self._log.name,
        )  # fmt: skip
        try:
            wait_until(self._answers, seconds=60, what=f"{self._product.name} answers")
        except ServiceFailedError as error:
            if last:
                raise ServiceFailedError(f"{error}\n{self._said()[-2000:]}") from None
            self._nest.kill(self._process)
            return False
        return True

    def _said(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def url(self) -> str:
        """Where it answers."""
        found = _PORT.search(self._said())
        if found is None:
            raise ServiceFailedError(f"{self._product.name} has not said at which port it listens")
        return f"http://127.0.0.1:{found[1]}"

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise ServiceFailedError(f"{self._product.name} has ended")
        if _PORT.search(self._said()) is None:
            return False
        health = f"{self.url}/_cluster/health?wait_for_status=yellow&timeout=1s"
        try:
            with urllib.request.urlopen(health, timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._nest.close()
