"""A sandbox as a whole: starting, stopping, forgetting, remembering."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacer_sandbox import IcatSandbox

WireTo = Callable[[IcatSandbox], Any]
WireAt = Callable[[str], Any]


def serve(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    """Start ``python -m pacer_sandbox`` and return the process and its base address."""
    command = [sys.executable, "-m", "pacer_sandbox", "--port", "0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    line = process.stdout.readline() if process.stdout else ""
    return process, line.split()[-3].removesuffix("/ICATService/ICAT?wsdl")


def end(process: subprocess.Popen[str], how: signal.Signals) -> tuple[int, str]:
    process.send_signal(how)
    output, _ = process.communicate(timeout=20)
    return process.returncode, output


def test_a_sandbox_is_empty_or_holds_what_it_was_seeded_with(wire_to: WireTo) -> None:
    with IcatSandbox() as empty, IcatSandbox(seed="demo") as demo:
        assert wire_to(empty).values(wire_to(empty).login(), "SELECT f.name FROM Facility f") == []
        assert wire_to(demo).values(wire_to(demo).login(), "SELECT f.name FROM Facility f") == ["ALBA"]


def test_reset_forgets_what_was_written_but_not_the_seed_nor_the_sessions(
    icat_server: IcatSandbox, wire: Any, root: str
) -> None:
    first = wire.create(root, "facility", "<name>Other</name>")

    icat_server.reset()

    assert wire.values(root, "SELECT f.name FROM Facility f") == ["ALBA"]
    assert wire.create(root, "facility", "<name>Other</name>") > first


def test_a_stopped_sandbox_refuses_connections_and_comes_back_with_its_data(wire_to: WireTo) -> None:
    with IcatSandbox() as icat:
        wire = wire_to(icat)
        session = wire.login()
        wire.create(session, "facility", "<name>F</name>")

        icat.stop()

        with pytest.raises(ConnectionRefusedError):
            wire.http("GET", "/icat/version")
        icat.start()
        assert wire.values(session, "SELECT f.name FROM Facility f") == ["F"]


def test_it_listens_on_loopback_only_unless_told_otherwise() -> None:
    with IcatSandbox() as icat:
        assert icat.url.startswith("http://127.0.0.1:")


def test_what_was_answered_survives_kill_9(tmp_path: Path, wire_to: WireTo, wire_at: WireAt) -> None:
    data = tmp_path / "icat.db"
    process, url = serve("--data", str(data), "--seed", "demo")
    wire = wire_at(url)
    session = wire.login()
    for number in range(20):
        wire.create(session, "facility", f"<name>F{number}</name>")
    end(process, signal.SIGKILL)

    with IcatSandbox(data=data, seed="demo") as icat:
        again = wire_to(icat)
        assert len(again.values(session, "SELECT f.name FROM Facility f")) == 21
        again.create(session, "facility", "<name>one more</name>")


def test_the_command_ends_cleanly_on_ctrl_c_and_on_sigterm(wire_at: WireAt) -> None:
    for how in (signal.SIGINT, signal.SIGTERM):
        process, url = serve("--seed", "demo", "--log")
        wire_at(url).login()

        code, output = end(process, how)

        assert code == 0, output
        assert "Ended." in output
        assert "login" in output
        assert "Traceback" not in output


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    bad = tmp_path / "bad.xml"
    bad.write_text("<icatdata><data><nosuch/></data></icatdata>")
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()

    for arguments, message in (
        (["--seed", str(bad)], "nosuch is no entity"),
        (["--zone", "Europe/Nowhere"], "Nowhere"),
        (["--port", str(taken.getsockname()[1])], "cannot listen"),
    ):
        command = [sys.executable, "-m", "pacer_sandbox", "--port", "0", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

        assert done.returncode == 1, done
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    taken.close()


def test_two_hundred_clients_at_once_all_get_their_answers(wire_to: WireTo) -> None:
    with IcatSandbox(seed="demo") as icat:
        wire = wire_to(icat)
        session = wire.login()
        errors: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for step in range(3):
                    wire.create(session, "user", f"<name>db/u{number}-{step}</name>")
                    wire.values(session, f"SELECT u.name FROM User u WHERE u.name = 'db/u{number}-{step}'")
            except BaseException as exc:
                errors.append(exc)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert errors == []
        assert len(wire.values(session, "SELECT u.id FROM User u WHERE u.name LIKE 'db/u%-%'")) == 600


def test_reset_forgets_rules_too(icat_server: IcatSandbox, wire: Any, root: str) -> None:
    visitor = wire.login("ahau", "db")
    wire.create(root, "rule", "<crudFlags>R</crudFlags><what>User</what>")
    assert wire.values(visitor, "SELECT COUNT(u) FROM User u") != ["0"]

    icat_server.reset()

    assert wire.values(visitor, "SELECT COUNT(u) FROM User u") == ["0"]
