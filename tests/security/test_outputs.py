"""What others have named or written controls no terminal, forges no line and hides nothing on it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import Site

NASTY = "\x1b[2J\x1b]0;owned\x07[red]x[/red]\r\nINFO forged: all is well\u202egnp.exe\u2028\x9b31m"
"""ANSI, the title of a window, rich's markup, a forged line, text turned around, C1's control sequence."""
HARM = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
PLUGIN = f"""
    NASTY = {NASTY!r}

    from attrs import frozen
    from pacer_core import ConsumerType, NotYet, Planned, Reject, hookimpl, task

    @frozen
    class Parcel:
        name: str
        how: str = ""

    def foresee(parcel, ctx):
        return [Planned(parcel.name + NASTY, "new", NASTY)]

    @task(plan=foresee)
    def store(parcel, ctx):
        ctx.log.warning("storing %s", parcel.name + NASTY)
        if parcel.how == "wait":
            raise NotYet("waits for " + NASTY)
        if parcel.how == "break":
            raise RuntimeError(NASTY)
        raise Reject("no place for " + NASTY)

    def describe(parcel):
        return {{"parcel": parcel.name + NASTY}}

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(name="parcels", message=Parcel, tasks=[store], describe=describe)
"""


@pytest.fixture
def facility(site: Site) -> Path:
    site.install("parcel-post", PLUGIN)
    return site.write(f"""
        brokers: {{main: {{protocol: sqlite, path: {site.folder}/b.db}}}}
        queues: [{{name: parcels}}]
        consumers: [{{type: parcels, queues: [parcels]}}]
        health: {{enabled: false}}
        logging: {{file: {{enabled: true, path: {site.folder}/pacer.log}}}}
        processes: {{stateFolder: {site.folder}/state}}
    """)


def test_no_name_in_a_message_controls_what_commands_and_logs_print(site: Site, facility: Path) -> None:
    bodies = [
        site.write(json.dumps({"name": "box", "how": how}), f"{how or 'reject'}.json")
        for how in ("", "wait", "break")
    ]
    bodies.append(
        site.write(json.dumps({"name": NASTY}), "nasty.json")
    )  # not even read: controls are refused
    printed = {"plan": site.pacer("plan", "-c", facility, *bodies).both}
    printed["send"] = site.pacer("send", "-c", facility, *bodies).both
    printed["run"] = site.pacer("run", "--once", "-c", facility).both
    for words in ("dead list", "waiting list", "dead list --json", "waiting list --json", "status"):
        printed[words] = site.pacer(*words.split(), "-c", facility).both
    letters = json.loads(printed["dead list --json"])["letters"]
    assert {one["error"] for one in letters} >= {"parse: the message has bad fields"}
    (letter,) = [one for one in letters if "no place" in one["error"]]
    printed["dead show"] = site.pacer("dead", "show", letter["id"], "--body", "-c", facility).both
    printed["trace"] = site.pacer("trace", letter["correlation_id"], "-c", facility).both
    printed["the log"] = (site.folder / "pacer.log").read_text()
    assert "owned" in printed["dead list"]
    assert "owned" in printed["the log"]
    assert {name: HARM.findall(text) for name, text in printed.items() if HARM.search(text)} == {}
    for name, text in printed.items():
        assert not any(line.startswith("INFO forged") for line in text.splitlines()), name
    assert "[red]x[/red]" in printed["dead list"], "markup of others is text"


def test_no_name_in_a_configuration_controls_what_is_said_about_it(site: Site, facility: Path) -> None:
    quoted = json.dumps(NASTY)
    text = f"""
        brokers: {{main: {{protocol: memory}}}}
        queues: [{{name: parcels}}, {{name: {quoted}}}]
        exchanges: [{{name: {quoted}, kind: {quoted}}}]
        consumers:
          - {{type: {quoted}, queues: [{quoted}]}}
          - {{type: parcels, name: {quoted}, queues: [parcels]}}
        {quoted}: 1
    """
    for words in ("config check", "config show", "config graph", "plan x", "run --once"):
        done = site.pacer(*words.split(), "-c", site.write(text, "odd.yaml"))
        assert not HARM.search(done.both), words


def test_a_plugin_with_a_hostile_name_is_shown_and_does_nothing(site: Site, facility: Path) -> None:
    package = site.install("evil-pacer", "raise RuntimeError('\\x1b[2J\\r\\nowned [bold]')")
    info = package.parent / "evil_pacer-1.0.dist-info"
    hostile = "evil\x1b[2J[bold]\u202e"
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {hostile}\nVersion: 1.0\x1b[31m\n")
    (info / "entry_points.txt").write_text("[pacer]\n../../evil\x1b]0;owned\x07 = evil_pacer.plugin\n")
    for words in ("plugins list", "plugins list --json", "--version", "config check"):
        done = site.pacer(*words.split(), *(["-c", str(facility)] if "config" in words else []))
        assert not HARM.search(done.both), words
    assert "parcels reads parcels" in site.pacer("config", "check", "-c", facility).out


def test_a_plugin_takes_no_name_of_the_core(site: Site) -> None:
    site.install(
        "evil-pacer",
        """
        import click
        from attrs import frozen
        from pacer_core import ConsumerType, hookimpl

        @frozen
        class Anything:
            name: str = ""

        @click.command()
        def run():
            click.echo("owned")

        @hookimpl
        def pacer_commands():
            return [run]

        @hookimpl
        def pacer_consumers():
            yield ConsumerType(name="forward", message=Anything, tasks=[])
        """,
    )
    file = site.write("""
        brokers: {main: {protocol: memory}}
        queues: [{name: q}]
        consumers: [{type: forward, queues: [q]}]
    """)
    assert "owned" not in site.pacer("run", "--help").both
    done = site.pacer("config", "check", "-c", file)
    assert done.code == 1
    assert "evil" in done.out
    assert "forward" in done.out


BROKEN = """
import sys
import pacer_core.cli.status as status
from pacer_core import Secret
from pacer_core.cli import main

def broken(file):
    secret, person = Secret("a-secret-word"), "Ana Person"
    raise RuntimeError("no room for " + secret.reveal() + " of " + person)

status.load = broken
sys.argv = ["pacer", "status"]
main()
"""


def test_a_command_that_breaks_prints_where_and_neither_a_secret_nor_a_person(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    done = subprocess.run([sys.executable, "broken.py"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "nobody has caught an exception" in done.stderr
    assert "RuntimeError" in done.stderr
    assert "a-secret-word" not in done.stderr
    assert "Ana Person" not in done.stderr
