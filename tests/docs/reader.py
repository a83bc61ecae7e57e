"""A reader who does what a page says, line by line, in a folder of their own."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.docs.pages import ROOT, Block, Command, agrees, blocks, commands

OURS = ("pacer", "_pacer", "_editable", "__editable__")
VENDORS = ("pyicat_plus",)  # what only our own tests need, and pytest would load everywhere
ENDLESS = ("pacer run", "pacer sandbox", "pacer dashboard serve")


class Reader:
    """Writes the files that a page shows and runs its commands, in one shell as far as they can tell.

    Nothing is fetched: what PACER and pip's builds need is taken from the environment that runs the tests,
    without PACER and its plugins, which readers install themselves, unless they come with PACER
    ``installed``. ``changes`` are the places where this machine differs from the reader's, such as the
    address of the broker, and ``left_out`` the beginnings of commands that are not run, each with the
    reason; each has to be on the page. ``codes`` are the exit codes of commands that do not end with 0, and
    ``varies`` patterns of what is otherwise each time.
    """

    def __init__(
        self,
        folder: Path,
        changes: Mapping[str, str] | None = None,
        *,
        installed: bool = False,
        left_out: Mapping[str, str] | None = None,
        codes: Mapping[str, int] | None = None,
        varies: Sequence[str] = (),
        **env: str,
    ) -> None:
        self._changes = dict(changes or {})
        self._left_out = dict(left_out or {})
        self._codes = dict(codes or {})
        self._varies = varies
        self._used: set[str] = set()
        self._states = folder / "shells"
        self._states.mkdir()
        self._running: list[subprocess.Popen[str]] = []
        python = sys.prefix if installed else sys.base_prefix
        self._env = {
            "HOME": str(folder),
            "PATH": os.pathsep.join([f"{python}/bin", "/usr/local/bin", "/usr/bin", "/bin"]),
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "160",
            "PYTHONPATH": "" if installed else str(_third_parties(folder / "third-parties")),
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads the value of this one as that of "build isolation"
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            **env,
        }
        self.home = folder / "home"
        self.home.mkdir()
        (self.home / "pacer").symlink_to(ROOT)
        self.open_terminal(self.home)

    def read(self, page: Path, meanwhile: Mapping[str, Callable[[], object]] | None = None) -> None:
        """Do all that a page says; ``meanwhile`` is what happens before a command, by its beginning.

        Raises
        ------
        AssertionError
            Where a command fails, or prints something else than the page shows.
        """
        for block in blocks(page):
            if block.file is not None:
                self._write(block, block.file)
            elif block.language == "console":
                for command in commands(block):
                    if happening := self._known(meanwhile or {}, command):
                        (meanwhile or {})[happening]()
                    self._do(block, command)
        expected = {*self._changes, *self._left_out, *self._codes}
        assert self._used == expected, f"not on the page: {expected - self._used}"

    @property
    def folder(self) -> Path:
        """Where the last command has left the shell."""
        return Path(self._run("pwd").stdout.strip())

    def run(self, command: str) -> str:
        """Run a command that is not on the page, in the terminal opened last, and give what it prints."""
        return self._run(command).stdout

    def open_terminal(self, folder: Path) -> None:
        """Begin a shell that knows nothing of earlier commands."""
        # A shell of its own: one that is just starting in another terminal still reads what was before.
        self._state = self._states / str(len(list(self._states.iterdir())))
        self._state.write_text(f"cd {shlex.quote(str(folder))}\n")

    def _write(self, block: Block, file: str) -> None:
        home = self._env["HOME"]
        (self.folder / file.replace("~", home, 1)).write_text(self._real(block.text))

    def _do(self, block: Block, command: Command) -> None:
        if beginning := self._known(self._left_out, command):
            self._used.add(beginning)
            return
        if command.text.startswith(ENDLESS) and "--once" not in command.text:
            self._start(block, command)
            return
        done = self._run(self._real(command.text))
        said = f"{block}: {command.text}\n{done.stdout}"
        failing = self._known(self._codes, command)
        self._used |= {failing} - {""}
        assert done.returncode == self._codes.get(failing, 0), f"{said}\nexit code {done.returncode}"
        output, expected = self._alike(self._shown(done.stdout)), self._alike(command.output)
        assert not expected or agrees(output, expected), f"{said}\nnot\n{command.output}"

    def _known(self, beginnings: Mapping[str, object], command: Command) -> str:
        return next((one for one in beginnings if f"{command.text}\n".startswith(one)), "")

    def _alike(self, text: str) -> str:
        """Give a text without what is otherwise on another machine, such as the width of a column."""
        for pattern in self._varies:
            text = re.sub(pattern, "...", text)
        return re.sub("[ -]{2,}", " ", text) if self._changes else text

    def _real(self, text: str) -> str:
        """Give what is on the page as it has to be on this machine."""
        for shown, real in self._changes.items():
            if shown in text:
                self._used.add(shown)
                text = text.replace(shown, real)
        return text

    def _shown(self, text: str) -> str:
        """Give what a program printed on this machine as it is on the page."""
        # Where another PACER runs here, the port for health is taken.
        text = "".join(line for line in text.splitlines(keepends=True) if " pacer.health: " not in line)
        for shown, real in self._changes.items():
            if real in text:
                self._used.add(shown)
                text = text.replace(real, shown)
        return text

    def _run(self, command: str) -> subprocess.CompletedProcess[str]:
        # What a later command can see of an earlier one: the folder, and the environment.
        script = (
            f'. "{self._state}"\n{command}\nstatus=$?\n'
            f'{{ printf "cd %q\\n" "$PWD"; export -p; }} > "{self._state}"\nexit $status'
        )
        return subprocess.run(
            ["/bin/bash", "-c", script],
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def _start(self, block: Block, command: Command) -> None:
        """Leave a command running in its terminal, and open another one in the same folder."""
        folder = self.folder
        log = folder.parent / f"terminal-{len(self._running)}"
        with log.open("w") as output:
            process = subprocess.Popen(
                ["/bin/bash", "-c", f'. "{self._state}"\nexec {self._real(command.text)}'],
                env=self._env,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
            )
        self._running.append(process)
        deadline = time.monotonic() + 60
        while command.output and not agrees(self._shown(log.read_text()), command.output):
            assert process.poll() is None, f"{block}: {command.text} has ended\n{log.read_text()}"
            assert time.monotonic() < deadline, f"{block}: {command.text}\n{log.read_text()}"
            time.sleep(0.05)
        self.open_terminal(folder)

    def stop(self) -> list[int]:
        """Press Ctrl-C in every terminal, and give the exit codes."""
        for process in self._running:
            process.send_signal(signal.SIGINT)
        return [process.wait(60) for process in self._running]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._running:
            if process.poll() is None:
                process.terminate()
                process.wait(60)


def _third_parties(folder: Path) -> Path:
    """Make a folder with links to all that is installed beside PACER itself."""
    folder.mkdir()
    for name in ("purelib", "platlib"):
        for path in Path(sysconfig.get_path(name)).iterdir():
            link = folder / path.name
            left_out = path.name.startswith((*OURS, *VENDORS)) or path.suffix == ".pth"
            if not left_out and not link.is_symlink():
                link.symlink_to(path)
    return folder
