"""The integration ``datacite``: how the core opens, checks and judges it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pacer_core import IntegrationType
from pacer_datacite.client import MEDIA_TYPE, Datacite
from pacer_datacite.options import DataciteOptions
from pacer_http import HttpClient, is_away


@contextmanager
def open_datacite(options: DataciteOptions) -> Iterator[Datacite]:
    """Give the client of a process; asks DataCite nothing until a task does."""
    with HttpClient(
        "DataCite",
        options.url,
        account=(options.repository, options.password),
        timeout=options.timeout,
        ca_file=options.ca_file,
        headers={"Accept": MEDIA_TYPE},
        contact=options.contact,
    ) as http:
        yield Datacite(options, http)


DATACITE: IntegrationType[Datacite] = IntegrationType(
    name="datacite",
    options=DataciteOptions,
    open=open_datacite,
    check=Datacite.check,
    is_away=is_away,
)
"""``ctx[DATACITE]`` is the `Datacite` of the process."""
