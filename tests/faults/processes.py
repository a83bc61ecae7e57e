"""The processes of a run, as the system sees them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support import Running


def workers(running: Running) -> list[int]:
    """Give the process ids of the workers that were started, in order."""
    return [int(number) for number in re.findall(r"started with process id (\d+)", running.printed)]


def alive(process: int) -> bool:
    """Say whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
