"""What tests of the core share: third-party distributions in a temporary folder, and the command line."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field, frozen
from click.testing import CliRunner

from pacer_core import plugins
from pacer_core.cli import main
from pacer_core.config.brokers import known
from pacer_core.config.model import Broker


@frozen
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def both(self) -> str:
        """Everything that the command has printed."""
        return self.out + self.err


@define(eq=False)
class Site:
    """A folder on the path in which third-party distributions are installed, as pip would leave them."""

    folder: Path
    _begun: list[subprocess.Popen[str]] = field(factory=list)

    def install(
        self, distribution: str, plugin: str, *, version: str = "1.0", entry: str | None = None
    ) -> Path:
        """Install a distribution with one plugin, given as the source of a module; give its package.

        The entry point has the package's name unless ``entry`` gives another one.
        """
        package = distribution.replace("-", "_")
        info = self.folder / f"{package}-{version}.dist-info"
        for folder in (self.folder / package, info):
            folder.mkdir()
        (self.folder / package / "__init__.py").touch()
        (self.folder / package / "plugin.py").write_text(textwrap.dedent(plugin))
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[pacer]\n{entry or package} = {package}.plugin\n")
        return self.folder / package

    def write(self, text: str, name: str = "pacer.yaml") -> Path:
        """Write a file of the facility, its configuration for instance."""
        file = self.folder / name
        file.write_text(textwrap.dedent(text))
        return file

    def pacer(self, *arguments: str | Path) -> Ran:
        """Run a command of PACER's in this process."""
        with _logging_kept():
            done = CliRunner().invoke(main, [str(one) for one in arguments])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Ran(done.exit_code, done.stdout, done.stderr)

    def carry(self, config: Path, consumer: str, message: Any) -> Ran:
        """Send a message to a consumer through the broker, and run PACER until nothing is left to do."""
        body = self.write(json.dumps(message), "message.json")
        assert self.pacer("config", "check", "-c", config).code == 0
        assert self.pacer("send", "-c", config, "-n", consumer, body).code == 0
        return self.pacer("run", "--once", "--wait", "-c", config)

    def start(self, *arguments: str | Path) -> Running:
        """Start a command of PACER's as a process of its own; it is ended with the test."""
        log = self.folder / f"log-{len(self._begun)}"
        with log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-c", "from pacer_core.cli import main; main()", *map(str, arguments)],
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                process_group=0,
            )
        self._begun.append(process)
        return Running(process, log)

    def close(self) -> None:
        """End what was started, with the processes that it has started."""
        for process in self._begun:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(str(self.folder)):
                del sys.modules[name]


@frozen
class Running:
    """A command that runs in a process of its own, and what it has printed so far."""

    process: subprocess.Popen[str]
    log: Path

    @property
    def printed(self) -> str:
        """Everything that the command, and the processes it started, have printed so far."""
        return self.log.read_text()

    def wait_for(self, text: str, seconds: float = 30) -> None:
        """Wait until the command has printed a text."""
        eventually(lambda: text in self.printed, seconds, lambda: f"{text!r} in:\n{self.printed}")

    def end(self, seconds: float = 30) -> int:
        """Send SIGTERM, and give the exit code."""
        self.process.terminate()
        return self.process.wait(seconds)


def eventually(
    true: Callable[[], object], seconds: float = 30, what: Callable[[], str] = lambda: "it"
) -> None:
    """Wait until something is true; fail where that takes too long."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what()}"
        time.sleep(0.02)


def broker(protocol: str, **options: Any) -> Broker:
    """Give a broker as a configuration names it, of the core's own transport or of an installed plugin's."""
    transport = known(plugins.load())[protocol]
    return Broker(protocol, transport.options(**options), transport)


@contextlib.contextmanager
def _logging_kept() -> Iterator[None]:
    """Commands set logging up for their own process; put back what pytest has set up."""
    root, ours = logging.getLogger(), logging.getLogger("pacer")
    before = root.handlers[:], root.level, ours.level
    hooks = sys.excepthook, threading.excepthook
    try:
        yield
    finally:
        logging.captureWarnings(False)
        sys.excepthook, threading.excepthook = hooks
        for handler in root.handlers:
            if handler not in before[0]:
                handler.close()
        root.handlers = before[0]
        root.setLevel(before[1])
        ours.setLevel(before[2])


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A folder for distributions, on the path of this process and of those that it starts."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("COLUMNS", "200")  # of rich's tables
    monkeypatch.delenv("PACER_CONFIG", raising=False)
    here = Site(folder)
    yield here
    here.close()
