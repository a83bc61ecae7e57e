"""Where records go: standard error, and one file that all processes of a supervisor share."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from pacer_core.model.errors import PacerError


def complain(record: logging.LogRecord) -> None:
    """Say that a record could not be written, and quote nothing of it: no secret is hidden in it yet."""
    kind = sys.exc_info()[0]
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(
            f"a log record of {record.pathname}:{record.lineno} could not be written "
            f"({kind.__name__ if kind else 'unknown'})\n"
        )


class Console(logging.StreamHandler[TextIO]):
    """Standard error."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say where the record came from; logging's own would print its arguments."""
        complain(record)


class SharedFile(logging.Handler):
    """A file to which several processes append whole lines, and which any of them may rotate.

    A line is one ``write`` in append mode, under a lock of the open file; a rotation has the same lock. A
    process that had the old file open finds out by its inode and opens the new one. A lock ends with its
    process, however that ends; the file belongs on a local disk.

    Parameters
    ----------
    path
        The file; its folder is made where there is none.
    most
        Bytes after which it is rotated to ``PATH.1``, ``PATH.1`` to ``PATH.2``, and so on. With 0 it never
        is; one that somebody else moves away is begun anew.
    backups
        How many old files are kept, one at least.

    Raises
    ------
    PacerError
        Where it cannot be opened.
    """

    def __init__(self, path: str | Path, most: int = 0, backups: int = 5) -> None:
        super().__init__()
        self._path, self._most, self._backups = Path(path).absolute(), most, backups
        try:
            self._file = self._open()
        except OSError as error:
            raise PacerError(f"the log file {path} cannot be written: {error.strerror}") from None

    def emit(self, record: logging.LogRecord) -> None:
        """Append the record's text."""
        try:
            line = f"{self.format(record)}\n".encode("utf-8", "backslashreplace")
            while not self._append(line):
                pass
        except Exception:
            complain(record)

    def close(self) -> None:
        """Close the file."""
        with self.lock or contextlib.nullcontext():
            if self._file >= 0:
                os.close(self._file)
                self._file = -1
        super().close()

    def _append(self, line: bytes) -> bool:
        """Write a line; ``False`` where the file was full, and another one has to be begun."""
        with self._locked() as size:
            if self._most and size and size + len(line) > self._most:
                self._shift()
                return False
            os.write(self._file, line)
            return True

    def _shift(self) -> None:
        """Move every file one number on."""
        for number in range(self._backups, 0, -1):
            newer = self._path if number == 1 else self._numbered(number - 1)
            with contextlib.suppress(FileNotFoundError):
                newer.replace(self._numbered(number))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """Hold the lock of the file that has the path now, opened anew where it is another; give its size."""
        while True:
            if self._file < 0:
                self._file = self._open()
            fcntl.flock(self._file, fcntl.LOCK_EX)
            status = os.fstat(self._file)
            try:
                here = os.stat(self._path)
            except FileNotFoundError:
                here = None
            if here is not None and (here.st_ino, here.st_dev) == (status.st_ino, status.st_dev):
                break
            os.close(self._file)
            self._file = -1
        try:
            yield status.st_size
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _open(self) -> int:
        self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)  # a group may read it: shippers do
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
