"""A facility of stand-ins, a spool, and jobs that go their way through the tasks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pacer_pacifica.testing import PacificaServices
from plugins.pacer_pacifica.tests.work.site import Site


@pytest.fixture
def pacifica() -> Iterator[PacificaServices]:
    """Pacifica's services at the wire."""
    with PacificaServices() as pacifica:
        yield pacifica


@pytest.fixture
def site(tmp_path: Path, pacifica: PacificaServices) -> Iterator[Site]:
    """A spool and a job database, and the ends over HTTP."""
    with Site(tmp_path, pacifica.addresses) as site:
        yield site
