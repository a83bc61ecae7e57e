"""A served dashboard and PostgreSQL's connections: few, and good again after the server was away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest
import requests

from pacer_dashboard.live.pool import LARGEST
from pacer_dashboard.place import Place
from pacer_dashboard.testing_site import Site
from tests.support import eventually

TOGETHER = 4
OURS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pacer-dashboard'"


@pytest.fixture
def served(new_place: Callable[[str, str], Place], tmp_path: Path) -> Iterator[Site]:
    site = Site(new_place("postgresql", "filled"), tmp_path)
    site.start()
    yield site
    site.stop()


def test_pages_and_streams_share_a_few_connections_and_get_new_ones_for_those_that_broke(
    served: Site,
) -> None:
    """Each request has a thread of its own: what Django keeps open in it, nobody uses or closes any more."""
    cookie = served.session()
    jar = {cookie["name"]: cookie["value"]}
    assert served.place.url is not None

    def page(_: int) -> int:
        return requests.get(f"{served.url}?all=1", cookies=jar, timeout=60).status_code

    with ExitStack() as stack, ThreadPoolExecutor(TOGETHER) as pool:
        database = stack.enter_context(psycopg.connect(served.place.url, autocommit=True))

        def connections() -> int:
            (number,) = database.execute(f"SELECT count(*) {OURS}".encode()).fetchone() or (0,)
            return int(number)

        for _ in range(10):
            stream = requests.get(f"{served.url}live", cookies=jar, stream=True, timeout=60)
            stack.enter_context(closing(stream))
            assert stream.status_code == 200
        for _ in range(10):
            assert {*pool.map(page, range(TOGETHER))} == {200}
            assert connections() <= TOGETHER + 4 < LARGEST
        database.execute(f"SELECT pg_terminate_backend(pid) {OURS}".encode())
        assert {*pool.map(page, range(TOGETHER))} == {200}


def test_the_log_says_which_page_was_asked_for_and_not_what_it_was_asked(site: Site) -> None:
    asked = ("oidc/callback?state=st4te&code=c0de", "?q=ada@example.org")
    for path in asked:
        requests.get(site.url + path, timeout=60)
    log = site.folder / "serve.out"
    eventually(lambda: '"GET / ' in log.read_text() and "/oidc/callback" in log.read_text(), 60)
    assert not [word for word in ("st4te", "c0de", "ada@example.org") if word in log.read_text()]
