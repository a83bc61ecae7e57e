"""The life of a private server: it is started, stopped, killed, and gone afterwards."""

from __future__ import annotations

import signal
import subprocess
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from tests.services.base import Nest, ServiceFailedError, wait_until


class Server(ABC):
    """A server of one's own in a nest; a context manager, inside which it is up.

    It survives `kill` and `stop`: `start` brings it back with its port and its data.
    """

    name = "the server"
    stop_signal = signal.SIGTERM
    patience = 120.0
    """Seconds until it answers."""

    def __init__(self, nest: Nest) -> None:
        self._nest = nest
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def _launch(self) -> subprocess.Popen[bytes]:
        """Start the process."""

    @abstractmethod
    def _responds(self) -> bool:
        """Tell whether the process that runs answers by now."""

    @abstractmethod
    def log(self, lines: int = 100) -> str:
        """Give the last lines of what it has printed and logged."""

    @property
    def running(self) -> bool:
        """Whether it is up, as far as its process tells."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and wait until it answers; nothing happens where it runs already."""
        if self.running:
            return
        self._process = self._launch()
        try:
            wait_until(self._answers, seconds=self.patience, what=f"{self.name} answers")
        except ServiceFailedError as error:
            self.kill()
            raise ServiceFailedError(f"{error}\n{self.log()}") from None

    def stop(self) -> None:
        """Stop it in an orderly way, as a restart of the machine would."""
        if self._process is not None:
            self._process.send_signal(self.stop_signal)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                raise ServiceFailedError(f"{self.name} does not stop\n{self.log()}") from None
            finally:
                self.kill()

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self._process is not None:
            self._nest.kill(self._process)
            self._process = None

    def signal(self, number: int) -> None:
        """Send it a signal."""
        if self._process is not None:
            self._process.send_signal(number)

    def restart(self) -> None:
        """Stop it in an orderly way and start it again."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End it for good, and remove all that it has written."""
        self.kill()
        self._nest.close()

    def _answers(self) -> bool:
        if not self.running:
            raise ServiceFailedError(f"{self.name} ended while starting")
        return self._responds()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
