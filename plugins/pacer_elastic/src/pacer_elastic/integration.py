"""The integration ``elastic``: how the core opens, checks and judges it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pacer_core import IntegrationType
from pacer_elastic.client import Elastic
from pacer_elastic.options import ElasticOptions
from pacer_http import HttpClient, is_away


@contextmanager
def open_elastic(options: ElasticOptions) -> Iterator[Elastic]:
    """Give the client of a process; asks nothing until a task does."""
    with HttpClient(
        "Elasticsearch",
        options.url,
        timeout=options.timeout,
        ca_file=options.ca_file,
        **options.credentials,
    ) as http:
        yield Elastic(options, http)


ELASTIC: IntegrationType[Elastic] = IntegrationType(
    name="elastic", options=ElasticOptions, open=open_elastic, check=Elastic.check, is_away=is_away
)
"""``ctx[ELASTIC]`` is the `Elastic` of the process."""
