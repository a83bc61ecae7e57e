"""The post office, installed."""

import pytest

from tests.support import Site
from tests.unit.config_problems.parcel_post import POST


@pytest.fixture
def post(site: Site) -> Site:
    site.install("parcel-post", POST)
    return site
