"""What the embedded broker can do, in a file and in memory."""

from __future__ import annotations

from pacer_core import Capabilities

SQLITE = Capabilities(
    survives_kill=True,
    several_processes=True,
    several_hosts=False,
    delays=True,
    priorities=True,
    partitions=True,
)
MEMORY = Capabilities(
    survives_kill=False,
    several_processes=False,
    several_hosts=False,
    delays=True,
    priorities=True,
)
