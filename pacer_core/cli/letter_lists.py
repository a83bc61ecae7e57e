"""Letters of a pile, listed or shown whole."""

from __future__ import annotations

import heapq
import shutil
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

import click
from attrs import evolve

from pacer_core.cli.console import echo, line, screen
from pacer_core.cli.letter_places import DEAD, Pile, looked, open_
from pacer_core.cli.letter_tally import Tally
from pacer_core.cli.letter_text import show, show_table
from pacer_core.config import Config
from pacer_core.model.json_output import dumps
from pacer_core.model.suggestions import did_you_mean
from pacer_core.model.wording import counted
from pacer_core.transport.letter_choice import Wanted
from pacer_core.transport.letter_json import summary, whole
from pacer_core.transport.letters import DeadLetter

_SPOOL = 4 << 20
_MOST_NAMES = 30


def list_letters(pile: Pile, file: Path, limit: int, as_json: bool, **filters: Any) -> int:
    """Print the letters of a pile that are meant; give the exit code."""
    config, wanted, tally = open_(file), Wanted(**filters), Tally()
    nothing = 1 if wanted != Wanted() else 0
    if as_json:
        _list_json(pile, config, wanted, tally)
        if tally.matching:
            return 0
        _tell_unknown(config, wanted, tally)
        return nothing
    latest: list[tuple[datetime, int, DeadLetter]] = []
    for letter in looked(pile, config, tally):
        if wanted(letter):
            tally.add(letter)
            entry = (letter.since or datetime.min.replace(tzinfo=UTC), -tally.matching, _light(letter))
            if limit and len(latest) >= limit:
                heapq.heappushpop(latest, entry)
            else:
                heapq.heappush(latest, entry)
    console = screen()
    if not tally.matching:
        tell_nothing(pile, config, wanted, tally)
        return nothing
    # Of those that died at one moment the first in the queue comes first.
    show_table(console, (letter for _, _, letter in sorted(latest, key=lambda one: (one[0], -one[1]))))
    console.print()
    if len(latest) < tally.matching:
        console.print(f"the latest {len(latest):,} of {tally.matching:,}; --limit 0 shows all", style="dim")
    tally.show(console, pile.headline(tally))
    _tell_elsewhere(tally)
    return 0


def tell_nothing(pile: Pile, config: Config, wanted: Wanted, tally: Tally) -> None:
    """Say that there are no letters, or none that are meant, and why that may be."""
    screen().print(pile.none_of(tally))
    _tell_unknown(config, wanted, tally)
    _tell_elsewhere(tally)


def _tell_unknown(config: Config, wanted: Wanted, tally: Tally) -> None:
    """Name the consumers that there are where the one that is asked for is not among them."""
    names = [plan.name for plan in (*config.consumers, *config.disabled)]
    name = wanted.consumer
    if name is not None and name not in names and name not in tally.consumers:
        known = sorted({*names, *tally.consumers} - {""})
        close, others = did_you_mean(name, known), _names(known)
        echo(
            f"no consumer {name!r} in {config.file}{close or f'; there are: {others}'}",
            err=True,
        )


def _names(names: Iterable[str]) -> str:
    """Give names in a line, as many as a person reads; publishers may have made up more."""
    some = sorted(names)
    more = len(some) - _MOST_NAMES
    return line(", ".join(some[:_MOST_NAMES])) + (f" and {more:,} more" if more > 0 else "")


def _tell_elsewhere(tally: Tally) -> None:
    if tally.elsewhere:
        verb = "waits" if tally.elsewhere.total() == 1 else "wait"
        echo(
            f"{counted(tally.elsewhere.total(), 'message')} of this virtual host {verb} to go back to queues "
            f"that are not in this configuration: {_names(tally.elsewhere)}",
            err=True,
        )


def _list_json(pile: Pile, config: Config, wanted: Wanted, tally: Tally) -> None:
    # A reader that is slow, or a person with a pager, must not keep the letters from others meanwhile.
    with SpooledTemporaryFile(_SPOOL) as spool:
        spool.write(b'{"letters": [')
        for letter in looked(pile, config, tally):
            if wanted(letter):
                spool.write(b",\n" if tally.matching else b"\n")
                spool.write(dumps(summary(letter)))
                tally.add(letter)
        spool.write(b'\n], "counts": ' + dumps(tally.as_json()) + b"}\n")
        spool.seek(0)
        shutil.copyfileobj(spool, sys.stdout.buffer)


def show_letter(pile: Pile, file: Path, letter_id: str, body: bool, as_json: bool) -> int:
    """Print one letter of a pile; give the exit code."""
    config, wanted = open_(file), Wanted(ids=(letter_id,))
    found: dict[int, DeadLetter] = {}
    more = 0
    for letter in looked(pile, config, Tally()):
        if wanted(letter):
            if letter.number in found or len(found) < 10:
                found[letter.number] = letter
            else:
                more += 1
    if not found:
        where = "in the dead queues of" if pile is DEAD else "waits for a retry by"
        raise click.ClickException(f"no {pile.noun} {letter_id!r} {where} {file}")
    console = screen()
    if len(found) > 1:
        show_table(console, found.values())
        echo(f"\n{counted(len(found) + more, pile.noun)} are called {letter_id}: say which", err=True)
        return 1
    (letter,) = found.values()
    if as_json:
        data = whole(letter) | ({"body": letter.envelope.body} if body else {})
        sys.stdout.buffer.write(dumps(data, indent=True) + b"\n")
    else:
        show(console, letter, body=body)
    return 0


def _light(letter: DeadLetter) -> DeadLetter:
    """Give a letter for the table, without what would fill the memory."""
    waiting = letter.waiting and evolve(letter.waiting, headers={})
    return evolve(
        letter,
        failures=(),
        own={},
        waiting=waiting,
        envelope=evolve(letter.envelope, body=b"", headers={}),
    )
