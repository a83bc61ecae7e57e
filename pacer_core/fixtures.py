"""Fixtures for whoever writes a plugin: pytest finds them when PACER is installed."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pacer_core.model.messages import Delivery
    from pacer_core.testing import Body, Configuration, Run

BROKER = "pacer_broker"
"""The fixture that gives the options of a broker: of a plugin that has one for tests, or of one's own."""


@pytest.fixture
def pacer_run(request: pytest.FixtureRequest) -> Run:
    """Return `pacer_core.testing.run`; a configuration without ``brokers`` gets that of ``pacer_broker``.

    The state is no home directory's, and the broker a test's own, as ``pacer_broker`` is.
    """
    from pacer_core.testing import run  # not with the plugin, which each pytest loads

    def run_with_broker(
        config: Configuration, *bodies: Body, wait: bool = False, check: bool = True
    ) -> tuple[Delivery, ...]:
        return run(_completed(config, request), *bodies, wait=wait, check=check)

    return run_with_broker


def _completed(config: Configuration, request: pytest.FixtureRequest) -> Configuration:
    """Give a configuration its broker, where it is no file and names none."""
    if isinstance(config, Mapping):
        return config if "brokers" in config else {**config, "brokers": _brokers(request)}
    if not isinstance(config, str):
        return config
    text = textwrap.dedent(config)
    if re.search(r"^brokers\s*:", text, re.MULTILINE):
        return text
    return f"{text.rstrip()}\nbrokers: {json.dumps(_brokers(request))}\n"


def _brokers(request: pytest.FixtureRequest) -> dict[str, Any]:
    try:
        return {"main": request.getfixturevalue(BROKER)}
    except pytest.FixtureLookupError:
        pytest.fail(
            f"the configuration has no 'brokers', and nothing here has the fixture {BROKER!r}: install a "
            f"broker that needs no server, or write a fixture of that name that returns the options of one",
            pytrace=False,
        )
