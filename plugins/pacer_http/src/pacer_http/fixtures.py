"""A fixture for whoever writes for an HTTP service: pytest finds it when this package is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pacer_http.testing import Reply, Request, StandIn, Starts


@pytest.fixture
def http_stand_in() -> Iterator[Starts]:
    """Return what starts stand-ins for HTTP services; the end of the test closes them.

    What went wrong in ``answer`` is raised then.
    """
    from pacer_http.testing import StandIn

    with ExitStack() as stack:

        def start(
            answer: Callable[[Request], Reply], *, certificate: tuple[Path, Path] | None = None
        ) -> StandIn:
            return stack.enter_context(StandIn(answer, certificate=certificate))

        yield start
