"""The parts that a plugin may have: each a module, the lines that register it, and a test of it."""

from __future__ import annotations

from pacer_core.cli.scaffold.parts.command import COMMAND
from pacer_core.cli.scaffold.parts.consumer import CONSUMER
from pacer_core.cli.scaffold.parts.integration import INTEGRATION
from pacer_core.cli.scaffold.parts.parser import PARSER
from pacer_core.cli.scaffold.parts.part import Part
from pacer_core.cli.scaffold.parts.router import ROUTER
from pacer_core.cli.scaffold.parts.service import SERVICE
from pacer_core.cli.scaffold.parts.task import TASK

__all__ = ["PARTS", "Part"]

PARTS = {
    "consumer": CONSUMER,
    "task": TASK,
    "parser": PARSER,
    "router": ROUTER,
    "integration": INTEGRATION,
    "service": SERVICE,
    "command": COMMAND,
}
"""By the words that `pacer plugins new` takes."""
