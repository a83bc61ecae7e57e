"""A service: a process that makes messages, as it is begun."""

from __future__ import annotations

from pacer_core.cli.scaffold.parts.part import Part

SERVICE = Part(
    "ticker",
    '''"""A service: a process that makes messages of something else, here of the clock."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from attrs import frozen

from pacer_core import ServiceContext, ServiceType


@frozen
class TickerOptions:
    """The YAML options of the service ``$service``.

    Attributes
    ----------
    to
        The consumer, or the queue, that messages are for.
    seconds
        How many pass between two of them.
    """

    to: str
    seconds: float = 60.0


def run(ctx: ServiceContext) -> None:
    """Publish the time again and again, until it is told to end. Publishing waits for the confirm."""
    options: TickerOptions = ctx.options
    ctx.ready()
    while not ctx.stopping.wait(options.seconds):
        body = json.dumps({"name": datetime.now(UTC).isoformat()})
        ctx.publish(options.to, body.encode())


def destinations(options: TickerOptions) -> list[str]:
    """Say where messages go, for ``pacer config check``."""
    return [options.to]


TICKER = ServiceType(name="$service", options=TickerOptions, run=run, publishes=destinations)
''',
    ("from pacer_core import ServiceType", "from $package.ticker import TICKER"),
    "services: TICKER",
    '''"""The service ``$service``."""

from __future__ import annotations

from pathlib import Path

from $package.ticker import TICKER, TickerOptions
from pacer_core.testing import FakeService


def test_it_publishes_until_it_is_told_to_end(tmp_path: Path) -> None:
    service = FakeService(TICKER, folder=tmp_path, options=TickerOptions("somebody", seconds=0.01))
    service.run(until=lambda: len(service.published) >= 2)
    assert {one.to for one in service.published} == {"somebody"}
''',
    "a process that makes messages of something else",
)
