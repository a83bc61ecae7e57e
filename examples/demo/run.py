"""The README's demo: messages about datasets come in, and a catalogue is filled.

Everything is embedded: the broker is a file, the ICAT a sandbox on loopback, and both are gone in the end.
With ``--broker`` it is a server of the demo's own, started from the installed program. PACER is used as a
facility uses it: `pacer send` and `pacer run` are processes of their own, and meet at the broker.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import icat.client
from brokers import BROKERS, Main
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pacer_sandbox import IcatSandbox

HERE = Path(__file__).parent
MESSAGES = {
    "dataset-alba.xml": "ALBA's XML, with its default namespace",
    "dataset-alba.json": "the same dataset as JSON",
    "dataset-esrf.xml": "ESRF's XML, in another namespace",
    "broken-json.json": "cut off in the middle",
    "broken-fields.xml": "an empty name, a date that is none, a missing value",
}
# What the demo itself reads, to show what each task did.
HERE_ALONE = """
processes: {stateFolder: state}
logging:
  logLevel: DEBUG
  console: {enabled: false}
  file: {enabled: true, path: pacer.log, format: json}
"""
COLOURS = {"acked": "green", "retried": "yellow", "dead": "red"}


class Trimmed(io.TextIOWrapper):
    """Standard output without the blanks that fill the last column of a table."""

    def write(self, text: str) -> int:
        """Write whole lines, as rich does."""
        return super().write(re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE))


PIPED = Trimmed(sys.stdout.buffer, sys.stdout.encoding, line_buffering=True)
console = Console(highlight=False) if os.isatty(1) else Console(highlight=False, width=120, file=PIPED)


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(
        description="Messages about datasets come in, and a catalogue is filled."
    )
    parser.add_argument(
        "--broker", choices=BROKERS, default="sqlite", help="sqlite is a file, without a server"
    )
    with BROKERS[parser.parse_args().broker]() as broker:
        show(broker)


def show(broker: Main) -> None:
    """Run it on a broker."""
    with tempfile.TemporaryDirectory(prefix="pacer-demo-") as name, IcatSandbox(seed="demo") as sandbox:
        os.environ |= {"DEMO_ICAT_URL": sandbox.url, "DEMO_ICAT_PASSWORD": "secret"}
        folder = Path(name)
        (folder / "pacer.yaml").write_text(configuration(broker) + HERE_ALONE)
        files = send(folder)
        pacer(folder, "run", "--once", expected=1)  # 1: some are dead
        show_handled(folder, files)
        show_catalogue(sandbox.url)
        show_dead(folder, files)
    console.rule("Where to go next")
    command = program()
    variables = "DEMO_ICAT_URL=http://localhost:8080 DEMO_ICAT_PASSWORD=secret"
    console.print(
        "In the repository of PACER:\n"
        "  docs/tutorials/first-run.md     the same by hand, and with a RabbitMQ\n"
        "  docs/tutorials/first-plugin.md  write a consumer of your own, in twelve lines\n"
        "A configuration and a plugin of your own:\n"
        f"  {command} init --yes my-facility\n"
        f"  {command} plugins new my-plugin\n"
        "This demo's configuration; to check it:\n"
        f"  {variables} {command} config check -c {shlex.quote(str(HERE / 'pacer.yaml'))}\n"
        "The same ICAT, to play with:\n"
        f"  {command} sandbox icat --seed demo\n"
        "What is installed, and what it registers:\n"
        f"  {command} plugins list",
        soft_wrap=True,
        markup=False,
    )


def program() -> str:
    """Give what this PACER is called by in the reader's shell."""
    found, ours = shutil.which("pacer"), Path(sys.executable).with_name("pacer")
    known = found is not None and Path(found).resolve() == ours.resolve()
    return "pacer" if known else shlex.join([sys.executable, "-m", "pacer_core"])


def configuration(broker: Main) -> str:
    """Give the demo's configuration, with another broker in it."""
    text = (HERE / "pacer.yaml").read_text()
    return re.sub(r"^  main: .*$", f"  main: {json.dumps(broker)}", text, flags=re.MULTILINE)


def pacer(folder: Path, *arguments: str | Path, expected: int = 0) -> str:
    """Run a command of PACER's in a process of its own, and give what it prints."""
    shown = [one.name if isinstance(one, Path) else one for one in arguments]
    console.print(Text(f"$ pacer {shlex.join(shown)}", style="bold"))
    command = [sys.executable, "-m", "pacer_core", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    if done.returncode != expected:
        raise SystemExit(f"pacer {arguments[0]} ended with {done.returncode}, not {expected}:\n{done.stdout}")
    return done.stdout


def send(folder: Path) -> dict[str, str]:
    """Send the messages, and give their files by correlation id."""
    table = Table("file", "what it is", title="Messages", title_justify="left", box=None)
    for name, about in MESSAGES.items():
        table.add_row(name, about)
    console.print(table)
    console.print()
    sent = pacer(folder, "send", *(HERE.parent / "messages" / name for name in MESSAGES))
    found = re.findall(r"([^/\n]+): confirmed, correlation id (\S+)", sent)
    return {correlation_id: name for name, correlation_id in found}


def show_handled(folder: Path, files: Mapping[str, str]) -> None:
    """Show what each task did with each message, out of the log."""
    table = Table("file", "outcome", "tasks", title="\nHandled", title_justify="left", box=None)
    handled: dict[str, tuple[str, str]] = {}
    for line in (folder / "pacer.log").read_text().splitlines():
        record = json.loads(line)
        told = re.fullmatch(r"[\w-]+: (acked|retried|dead): (.*)", record["message"])
        if told is not None:
            handled[record["labels"]["correlation_id"]] = told[1], told[2].replace("; ", "\n")
    for correlation_id, name in files.items():
        outcome, tasks = handled[correlation_id]
        table.add_row(name, Text(outcome, style=COLOURS[outcome]), tasks)
    console.print(table)


def show_catalogue(url: str) -> None:
    """Read the datasets back with plain python-icat."""
    client = icat.client.Client(f"{url}/ICATService/ICAT?wsdl")
    client.login("simple", {"username": "root", "password": "secret"})
    datasets = client.search(
        "SELECT d FROM Dataset d "
        "INCLUDE d.investigation AS i, d.sample AS s, d.datafiles AS f, d.parameters AS p"
    )
    table = Table(
        "investigation", "dataset", "sample", "from", "files", "parameters",
        title="\nIn ICAT now", title_justify="left", box=None,
    )  # fmt: skip
    for dataset in sorted(datasets, key=lambda one: one.investigation.name):
        table.add_row(
            dataset.investigation.name,
            dataset.name,
            dataset.sample.name if dataset.sample else "",
            f"{dataset.startDate:%Y-%m-%d %H:%M:%S}",
            str(len(dataset.datafiles)),
            str(len(dataset.parameters)),
        )
    console.print(table)
    client.logout()


def show_dead(folder: Path, files: Mapping[str, str]) -> None:
    """Show what waits for a person, and why."""
    console.print()
    found = json.loads(pacer(folder, "dead", "list", "--json"))
    table = Table("file", "why", title="\nIn the dead queue", title_justify="left", box=None)
    for letter in found["letters"]:
        why = [letter["error"], *(f"  {field}" for field in letter["fields"])]
        table.add_row(files[letter["correlation_id"]], Text("\n".join(why)))
    console.print(table)
    console.print()


if __name__ == "__main__":
    main()
