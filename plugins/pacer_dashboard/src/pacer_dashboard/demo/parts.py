"""The processes of the demo: a sandbox of ICAT, PACER's worker, and the dashboard's server."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from attrs import frozen

from pacer_core import PacerError

NEEDED = ("pacer-sandbox", "pacer-embedded", "pacer-icat", "pacer-dashboard-log")
"""Distributions that the dashboard itself does without."""
STARTED = 60.0
"""Seconds that the dashboard may take to answer."""
_STOPPED = 20.0
_HERE = Path(__file__).parent


@frozen
class Demo:
    """What runs: the address of the dashboard, and the configuration of the PACER that it watches."""

    url: str
    configuration: Path
    folder: Path
    processes: tuple[subprocess.Popen[bytes], ...]

    def ended(self) -> str:
        """Give what a process said that has ended by itself; nothing while all run."""
        for process in self.processes:
            if process.poll() is not None:
                name = str(process.args[-1] if isinstance(process.args, list) else process.args)
                return f"{name} ended with {process.returncode}; its log is in {self.folder}"
        return ""


@contextmanager
def running(folder: Path, port: int = 0) -> Iterator[Demo]:
    """Start everything in a folder, and stop it at the end.

    Raises
    ------
    PacerError
        Where the sandbox is not installed, or the dashboard does not begin.
    """
    with facility(folder, folder / "dashboard") as demo, ExitStack() as stack:
        environment = {**os.environ, **_of_dashboard(folder)}
        port = port or _free_port()
        with_broker = ("--config", str(demo.configuration))
        serve = _start(stack, folder, environment, "dashboard", "serve", "--port", str(port), *with_broker)
        url = f"http://127.0.0.1:{port}/"
        _await(url, serve, folder)  # it makes the tables
        worker = stack.enter_context(demo.worker())
        yield Demo(url, demo.configuration, folder, (serve, worker))


@frozen
class Facility:
    """A PACER with a broker in a file and a sandbox of ICAT, which nobody runs yet."""

    configuration: Path
    folder: Path

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run PACER; its messages are in the dashboard's database."""
        with ExitStack() as stack:
            yield _start(stack, self.folder, os.environ, "run", "-c", str(self.configuration))


@contextmanager
def facility(folder: Path, database: Path, patience: str = "2min") -> Iterator[Facility]:
    """Start a sandbox of ICAT, and have this process's variables say what the configuration asks for.

    ``patience`` is how long a message waits for what ICAT does not have yet, until it is dead.

    Raises
    ------
    PacerError
        Where the sandbox is not installed.
    """
    if missing := [name for name in NEEDED if find_spec(name.replace("-", "_")) is None]:
        raise PacerError(f"the demo needs {', '.join(missing)}: pip install {' '.join(missing)}")
    from pacer_sandbox import IcatSandbox

    with IcatSandbox(seed="demo") as sandbox:
        os.environ |= {
            "DEMO_HEALTH_PORT": str(_free_port()),
            "DEMO_ICAT_URL": sandbox.url,
            "DEMO_ICAT_PASSWORD": "secret",
            "DEMO_BROKER": str(folder / "broker.db"),
            "DEMO_DATABASE": str(database),
            "DEMO_PATIENCE": patience,
            "DEMO_STATE": str(folder / "state"),
        }
        yield Facility(Path(shutil.copy(_HERE / "pacer.yaml", folder / "pacer.yaml")), folder)


def _of_dashboard(folder: Path) -> dict[str, str]:
    return {
        "PACER_DASHBOARD_PACERS": f"http://127.0.0.1:{os.environ['DEMO_HEALTH_PORT']}",
        "PACER_DASHBOARD_DATABASE": str(folder / "dashboard"),
        "SECRET_KEY": secrets.token_urlsafe(40),
        "DISABLED_AUTH": "True",  # which holds on loopback alone
    }


def _start(
    stack: ExitStack, folder: Path, environment: Mapping[str, str], *arguments: str
) -> subprocess.Popen[bytes]:
    output = stack.enter_context((folder / f"{arguments[0]}.out").open("wb"))
    process = subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-m", "pacer_core", *arguments],
        cwd=folder,
        env=environment,
        stdout=output,
        stderr=subprocess.STDOUT,
    )
    stack.callback(_stop, process)
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOPPED)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _await(url: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + STARTED
    while time.monotonic() < until and process.poll() is None:
        try:
            with urlopen(f"{url}theme", timeout=5):  # noqa: S310 - our own
                return
        except HTTPError:  # it takes POST alone, and says so: it answers
            return
        except (URLError, OSError):
            time.sleep(0.1)
    said = (folder / "dashboard.out").read_text(errors="replace")[-2000:]
    raise PacerError(f"the dashboard did not begin to answer at {url}: {said}")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
