"""The places on this machine that a configuration has PACER write to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pacer_core.config.model import Config


def places(config: Config) -> Iterator[tuple[str, Path]]:
    """Give each place that the file names, with the key that does."""
    if config.logging.file.enabled:
        yield "logging.file.path", Path(config.logging.file.path)
    if config.processes.state_folder is not None:
        yield "processes.stateFolder", Path(config.processes.state_folder)


def unwritable(place: Path) -> str | None:
    """Say why a file or folder can be neither written nor made; nothing is made to find out."""
    here = place.absolute()
    try:
        if here.exists():
            return None if os.access(here, os.W_OK) else "this account may not write it"
        above = next(one for one in here.parents if one.exists())
    except OSError as error:
        return error.strerror or type(error).__name__
    if not above.is_dir():
        return f"{above} is no folder"
    return None if os.access(above, os.W_OK | os.X_OK) else f"this account may write nothing in {above}"
