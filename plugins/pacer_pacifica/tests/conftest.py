"""The service, started for a test as it wants it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from plugins.pacer_pacifica.tests.door import Door, running

Start = Callable[..., Door]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the service with some options."""
    with ExitStack() as stack:

        def start(**options: Any) -> Door:
            return stack.enter_context(running(tmp_path, **options))

        yield start


@pytest.fixture
def door(start: Start) -> Door:
    """Give the service as it is without further options."""
    return start()
