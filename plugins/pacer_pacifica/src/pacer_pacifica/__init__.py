"""PACER for bundles over HTTP: Pacifica's protocol, its jobs, and the consumers that do their work."""

from pacer_pacifica.integration import PACIFICA, Pacifica
from pacer_pacifica.jobs import Job
from pacer_pacifica.messages import BUNDLES, MOVES, Bundle, Move
from pacer_pacifica.options import PacificaOptions

__all__ = [
    "BUNDLES",
    "MOVES",
    "PACIFICA",
    "Bundle",
    "Job",
    "Move",
    "Pacifica",
    "PacificaOptions",
]
