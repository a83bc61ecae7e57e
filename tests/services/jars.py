"""Servers whose jars come from Maven Central."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from attrs import frozen

from tests.services.base import ServiceMissingError, program


@frozen
class Jars:
    """What of one server Maven is to fetch."""

    product: str
    version: str
    pom: Path

    def folder(self) -> Path:
        """Give the folder of the jars; they are fetched once, and kept in the user's cache.

        Raises
        ------
        ServiceMissingError
            Where Maven is not installed, or cannot fetch them.
        """
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = home / "pacer-tests" / f"{self.product.lower()}-{self.version}"
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.is_dir():
                self._fetch(folder)
        return folder

    def _fetch(self, folder: Path) -> None:
        maven = program("mvn", package="maven")
        half = folder.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={half}", "-DincludeScope=runtime"]
        try:
            subprocess.run(
                [maven, "-q", "-B", "-f", str(self.pom), *goal], check=True, capture_output=True, timeout=150
            )
        except subprocess.SubprocessError as error:
            said = (getattr(error, "stdout", b"") or b"").decode(errors="replace")
            why = next((line for line in said.splitlines() if "ERROR" in line), str(error))
            raise ServiceMissingError(f"{self.product} cannot be fetched from Maven Central: {why}") from None
        half.rename(folder)
