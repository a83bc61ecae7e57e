"""PACER seen from outside: what its processes count and how they are, over HTTP; and how to ask for it."""

from pacer_core.observe.health.ask import Asked, ask
from pacer_core.observe.health.server import serving
from pacer_core.observe.health.workers import Roster

__all__ = ["Asked", "Roster", "ask", "serving"]
