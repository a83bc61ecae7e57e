"""Pacifica's own distributions, which exist for Python 3.8 alone: installed from PyPI into the cache, once.

The interpreter is ``PACER_PYTHON38``, or ``python3.8``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

MISSING = "Pacifica's own code needs Python 3.8: name a python3.8 in PACER_PYTHON38"


def interpreter() -> str | None:
    """Give a Python 3.8 that runs."""
    for name in (os.environ.get("PACER_PYTHON38"), "python3.8"):
        found = shutil.which(name) if name else None
        if found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0:
            return found
    return None


def installed(python: str, name: str, packages: Sequence[str]) -> Path:
    """Give the folder of the packages' programs; installs them unless the cache has these very ones."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "pacer", name)
    programs, whole, wanted = cache / "bin", cache / "whole", "\n".join(packages)
    if not whole.exists() or whole.read_text() != wanted:
        shutil.rmtree(cache, ignore_errors=True)
        subprocess.run([python, "-m", "venv", str(cache)], check=True)
        pip = [str(programs / "pip"), "install", "-q"]
        subprocess.run([*pip, "wheel", "setuptools<70"], check=True)
        subprocess.run([*pip, *packages], check=True)
        whole.write_text(wanted)
    return programs
