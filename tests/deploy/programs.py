"""Where the programs are that look at what is in deploy/."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest


def program(name: str, package: str) -> str:
    """Give a program's path: beside this Python, where pip puts it, or on the path.

    Where there is none the test is skipped; with PACER_REQUIRE_SERVICES=1 it fails.
    """
    beside = Path(sys.executable).parent / name
    if (found := str(beside) if beside.exists() else shutil.which(name)) is not None:
        return found
    told = f"{name} is not installed: {package} has it"
    if os.environ.get("PACER_REQUIRE_SERVICES") == "1":
        pytest.fail(f"{told} (required, since PACER_REQUIRE_SERVICES=1)", pytrace=False)
    pytest.skip(told)
