"""What keeps a folder's files from being taken, and how that is said: with advice, and once."""

from __future__ import annotations

import errno
import math
import time
from pathlib import Path

from pacer_core import ServiceContext

_AGAIN = 5.0  # seconds before what the system refused is tried again


class Trouble:
    """The trouble of one folder."""

    def __init__(self, ctx: ServiceContext, folder: Path) -> None:
        self._log, self._folder = ctx.log, folder
        self.text = ""
        """What keeps the folder's files from being taken, and what to do."""
        self.again = math.inf
        """When to try again what the system has refused."""
        self._said: set[str] = set()

    def hinder(self, error: OSError) -> float:
        """Say what the system refuses; give when to try it again."""
        what = error.strerror or type(error).__name__
        advice = {
            errno.ENOENT: "make it, or mount it",
            errno.EACCES: "let the account that PACER runs as write there",
            errno.EPERM: "let the account that PACER runs as write there",
            errno.EROFS: "let the account that PACER runs as write there",
            errno.ENOSPC: "make room on its disk",
            errno.EDQUOT: "make room on its disk",
        }.get(error.errno or 0, "look at the disk, or the server that it is on")
        self.text = f"{self._folder}: {what}: {advice}"
        again = retry_at(time.monotonic())
        self.again = min(self.again, again)
        return again

    def once(self, key: str, text: str, *values: object) -> None:
        """Warn of something, if that was not done before."""
        if key not in self._said:
            self._said.add(key)
            self._log.warning(text, *values)

    def over(self, key: str) -> None:
        """Warn anew, should it come again."""
        self._said.discard(key)


def retry_at(now: float) -> float:
    """Give when to try again what the system refuses now."""
    return now + _AGAIN
