"""PACER seen from outside: what its processes count and how they are, over HTTP; and how to ask for it."""

from pacer_core.health.ask import Asked, ask
from pacer_core.health.roster import Roster
from pacer_core.health.server import serving

__all__ = ["Asked", "Roster", "ask", "serving"]
