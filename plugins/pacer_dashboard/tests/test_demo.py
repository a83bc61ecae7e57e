"""The demo, as somebody at a booth starts it: messages good and bad, and nothing left at the end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import requests

from tests.at_length import long
from tests.support import eventually


@long
def test_the_demo_shows_messages_good_and_bad_and_ends_by_ctrl_c(tmp_path: Path) -> None:
    # Its folder is made here, so that what it leaves behind would be seen.
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    out = tmp_path / "said"
    with out.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "pacer_core", "dashboard", "demo", "--rate", "20"],
            env=environment,
            stdout=said,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    try:
        eventually(lambda: "The dashboard is at" in out.read_text() or process.poll() is not None, 120)
        (url,) = re.findall(r"The dashboard is at (\S+)", out.read_text())
        assert requests.get(url, timeout=60).status_code == 200

        def states() -> set[str]:
            rows = requests.get(f"{url}api/v1/messages?size=200", timeout=60).json()["rows"]
            return {row["state"] for row in rows}

        eventually(lambda: states() >= {"acked", "dead"}, 120, out.read_text)
        page = requests.get(url, timeout=60).text
        assert page.count("data-row") > 1
        assert requests.get(f"{url}system/", timeout=60).status_code == 200
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: its processes get it, too
        assert process.wait(90) == 0, out.read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert "nothing is left behind" in out.read_text()
    assert [one.name for one in tmp_path.iterdir()] == ["said"]


@long
def test_pictures_show_dead_queues_with_letters_that_pacer_gave_up(tmp_path: Path) -> None:
    asked = ["--only", "dead-queues", "--only", "dead-letter", "--into", str(tmp_path)]
    said = subprocess.run(
        [sys.executable, "-m", "pacer_core", "dashboard", "screenshots", *asked],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert said.returncode == 0, said.stderr
    assert not said.stderr
    names = [f"{page}-{width}" for page in ("dead-letter", "dead-queues") for width in (1440, 390)]
    pictures = [f"{name}-{colours}.webp" for name in names for colours in ("dark", "light")]
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(pictures)
