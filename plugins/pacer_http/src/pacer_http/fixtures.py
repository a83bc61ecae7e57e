"""A fixture for whoever writes for an HTTP service: pytest finds it when this package is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from pacer_http.testing import Reply, Request, StandIn


class Starts(Protocol):
    """What the fixture ``http_stand_in`` gives."""

    def __call__(
        self, answer: Callable[[Request], Reply], *, certificate: tuple[Path, Path] | None = None
    ) -> StandIn:
        """Start a stand-in, as `pacer_http.testing.StandIn` is made."""
        ...


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
