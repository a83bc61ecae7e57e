"""Plugins take records of the log to further places."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.lab import PLUGIN
from tests.support import Site, eventually

HANDLER = """
    import logging
    from attrs import frozen
    from pacer_core import LogHandlerType, PacerError, hookimpl

    @frozen
    class TapeOptions:
        path: str

    class Tape(logging.Handler):
        def __init__(self, options):
            super().__init__()
            if options.path == "/":
                raise PacerError("the tape cannot be opened: choose another path")
            self.path = options.path

        def emit(self, record):
            with open(self.path, "a") as file:
                file.write(self.format(record) + "\\n")

    @hookimpl
    def pacer_log_handlers():
        yield LogHandlerType(name="tape", options=TapeOptions, open=Tape)
"""
CONFIG = """
    brokers: {{main: {{protocol: {protocol}}}}}
    queues: [{{name: {queue}}}]
    consumers: [{{type: jobs, queues: [{queue}]}}]
    logging: {{logLevel: INFO, console: {{enabled: false}}, tape: {tape}}}
    processes: {{stateFolder: {state}}}
    health: {{enabled: false}}
"""


def configure(site: Site, tmp_path: Path, tape: str, protocol: str = "memory") -> Path:
    return site.write(
        CONFIG.format(queue=tmp_path.name, state=tmp_path / "state", tape=tape, protocol=protocol)
    )


def records(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_a_plugin_gets_every_record_as_a_line_of_json(site: Site, tmp_path: Path) -> None:
    site.install("lab-pacer", PLUGIN)
    site.install("tape-pacer", HANDLER)
    file = configure(site, tmp_path, f"{{path: {tmp_path / 'tape'}}}")
    assert site.pacer("run", "--once", "-c", file).code == 0
    told = [record["message"] for record in records(tmp_path / "tape")]
    assert f"reading {tmp_path.name}" in told
    assert all(record["log.level"] == "info" for record in records(tmp_path / "tape"))


def test_worker_processes_have_it_as_well(site: Site, tmp_path: Path) -> None:
    site.install("lab-pacer", PLUGIN)
    site.install("tape-pacer", HANDLER)
    broker = f"sqlite, path: {tmp_path / 'broker.db'}"
    file = configure(site, tmp_path, f"{{path: {tmp_path / 'tape'}}}", broker)
    running = site.start("run", "-c", file)

    def told() -> dict[str, int]:
        text = (tmp_path / "tape").read_text() if (tmp_path / "tape").exists() else ""
        lines = [json.loads(line) for line in text.split("\n")[:-1]]  # the last one may be half written
        return {line["message"]: line["process"]["pid"] for line in lines}

    eventually(lambda: f"reading {tmp_path.name}" in told(), what=lambda: running.printed)
    assert told()[f"reading {tmp_path.name}"] != running.process.pid
    assert running.end() == 0


def test_what_is_wrong_with_its_options_is_named_at_its_place(site: Site, tmp_path: Path) -> None:
    site.install("lab-pacer", PLUGIN)
    site.install("tape-pacer", HANDLER)
    checked = site.pacer("config", "check", "-c", configure(site, tmp_path, "{paht: x}"))
    assert "unknown key 'paht'" in checked.both
    assert "'path' is missing" in checked.both
    assert "unknown key 'tape'" not in checked.both


def test_without_its_plugin_it_is_an_unknown_key(site: Site, tmp_path: Path) -> None:
    site.install("lab-pacer", PLUGIN)
    checked = site.pacer("config", "check", "-c", configure(site, tmp_path, "{path: x}"))
    assert "unknown key 'tape'" in checked.both


def test_a_place_that_cannot_be_opened_is_said_before_anything_runs(site: Site, tmp_path: Path) -> None:
    site.install("lab-pacer", PLUGIN)
    site.install("tape-pacer", HANDLER)
    done = site.pacer("run", "--once", "-c", configure(site, tmp_path, "{path: /}"))
    assert done.code != 0
    assert "the tape cannot be opened: choose another path" in done.both


def test_it_is_listed_among_what_a_plugin_registers(site: Site) -> None:
    site.install("tape-pacer", HANDLER)
    listed = json.loads(site.pacer("plugins", "list", "--json").out)
    (info,) = (one for one in listed["plugins"] if one["name"] == "tape_pacer")
    assert info["registers"]["log handlers"] == ["tape"]
