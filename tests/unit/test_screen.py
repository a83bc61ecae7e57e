"""What commands print: tables in windows of every width, numbers with their nouns."""

from __future__ import annotations

import io
import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pacer_core.cli import main
from pacer_core.cli.command_hints import command
from pacer_core.cli.console import complaints, echo, print_table, screen
from pacer_core.cli.doctor import _show_each
from pacer_core.cli.letter_text import _attempts
from pacer_core.commands import config_option
from pacer_core.model.wording import counted
from pacer_core.work.doctor import Finding


@pytest.mark.parametrize("width", [12, 20, 40, 80])
def test_a_table_loses_nothing_in_a_narrow_window(width: int) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("queue", overflow="fold")
    table.add_column("ready", justify="right", no_wrap=True)
    table.add_column("dead", justify="right", no_wrap=True)
    table.add_row("icat-dataset-ingest", "1,234,567", "89")
    printed = io.StringIO()
    print_table(Console(file=printed, width=width), table)
    assert "…" not in printed.getvalue()
    for text in ("icat-dataset-ingest", "1,234,567", "89"):
        assert not Counter(text) - Counter(printed.getvalue())
    assert ("1,234,567" in printed.getvalue()) == (width >= 40)


@pytest.mark.parametrize("terminal", [False, True])
def test_what_others_wrote_controls_no_terminal_however_it_is_printed(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    nasty = "a\x1b[2J\x1b]0;b\x07\x9b31mc\u202ed\u2028e\x85f\udcffg\rh\x08"
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    table = Table(title=nasty)
    table.add_column(nasty)
    table.add_row(nasty)
    table.add_row(Text(nasty, style="red"))
    for console in (screen(), complaints()):
        console.print(nasty, markup=False)
        console.print(Text(nasty), style="bold", soft_wrap=True)
        print_table(console, table)
    echo(nasty)
    echo(nasty, err=True)
    for written in capfd.readouterr():
        assert all(line.isprintable() for line in written.split("\n"))
        assert "\\x1b" in written


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 messages"), (1, "1 message"), (2, "2 messages"), (1200, "1,200 messages")]
)
def test_a_noun_agrees_with_its_number(number: int, words: str) -> None:
    assert counted(number, "message") == words
    assert counted(number, "retry", "retries") == words.replace("messages", "retries").replace(
        "message", "retry"
    )


@pytest.mark.parametrize(
    ("attempts", "failed", "words"),
    [(1, 0, "1"), (1, 1, "1, which failed"), (5, 4, "5, of which 4 failed"), (2, 0, "2")],
)
def test_attempts_do_not_contradict_themselves(attempts: int, failed: int, words: str) -> None:
    assert _attempts(attempts, failed) == words


@pytest.mark.parametrize(
    ("called", "named"),
    [
        ("{bin}/pacer", "pacer"),
        ("{other}/pacer", "{other}/pacer"),
        ("{other}/pacer_core/__main__.py", f"{shlex.quote(sys.executable)} -m pacer_core"),
    ],
)
@pytest.mark.parametrize("file", ["pacer.yaml", "of a site.yaml"])
def test_a_command_is_printed_as_it_works_where_it_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: str, named: str, file: str
) -> None:
    places = {"bin": f"{tmp_path}/bin", "other": f"{tmp_path}/env"}
    for place in places.values():
        Path(place).mkdir()
        Path(place, "pacer").touch(0o755)
    monkeypatch.setenv("PATH", places["bin"])
    monkeypatch.delenv("PACER_CONFIG", raising=False)
    monkeypatch.setattr(sys, "argv", [called.format(**places)])

    @click.command
    @config_option
    def show(file: Path) -> None:
        click.echo(command("dead list"))

    more = "" if file == "pacer.yaml" else " -c 'of a site.yaml'"
    assert CliRunner().invoke(show, ["-c", file]).output == f"{named.format(**places)} dead list{more}\n"


def every_help(width: int) -> Iterator[tuple[str, str]]:
    """Give what `--help` prints of every command, those of the plugins among them, in a window of a width."""
    pending = [click.Context(main, info_name="pacer", terminal_width=width, max_content_width=width)]
    while pending:
        ctx = pending.pop()
        yield ctx.command_path, ctx.get_help()
        if isinstance(ctx.command, click.Group):
            found = ((name, ctx.command.get_command(ctx, name)) for name in ctx.command.list_commands(ctx))
            pending += [click.Context(one, ctx, name) for name, one in found if one is not None]


@pytest.mark.parametrize("width", [80, 200])
def test_the_help_of_no_command_is_cut_or_wider_than_the_window(width: int) -> None:
    seen = dict(every_help(width))
    assert {"pacer", "pacer dead list", "pacer dashboard user role"} <= seen.keys()
    for path, text in seen.items():
        described = text.partition("\n\n")[2]
        assert [one for one in text.splitlines() if len(one) > width or "\x1b" in one] == [], path
        assert [one for one in described.splitlines() if one.endswith("...")] == [], path


def test_what_the_doctor_has_found_is_whole_in_a_narrow_window(capsys: pytest.CaptureFixture[str]) -> None:
    detail = "embedded broker on SQLite 3.40.1; copies are signed with the key in /data/broker.db.key"
    found = Finding("place", "processes.stateFolder", "/data/state", (), well=True, detail=detail)
    _show_each(Console(width=80), [found])
    head, *rest = capsys.readouterr().out.splitlines()
    assert head == "well  place  processes.stateFolder  /data/state"
    assert " ".join(one.strip() for one in rest) == detail
