"""Letters on a screen: in a table, or one of them whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pacer_core.cli.command_hints import command
from pacer_core.cli.console import NARROW, clean, line, print_table
from pacer_core.cli.times import age, local, spell, when
from pacer_core.model.escapes import escaped
from pacer_core.model.json_output import dumps
from pacer_core.model.secrets import redact
from pacer_core.model.wording import counted
from pacer_core.transport.letters import DeadLetter, Waiting


def show_table(console: Console, letters: Iterable[DeadLetter]) -> None:
    """Print letters as a table; in a narrow window each below its id instead."""
    if console.width < NARROW:
        for letter in letters:
            head = Text("  ").join((Text(letter.id, style="cyan"), *_times(letter), _consumer(letter)))
            console.print(head)
            console.print(Padding(Text("\n").join(_lines(letter)), (0, 0, 0, 2)))
        return
    made: Table | None = None
    for letter in letters:
        if made is None:
            times = ("when",) if letter.waiting is None else ("since", "next")
            made = Table(box=None, pad_edge=False, header_style="dim")
            for name in ("id", *times):
                made.add_column(name, no_wrap=True)
            made.add_column("consumer", overflow="fold")
            made.add_column("what and why", overflow="fold")
        made.add_row(
            Text(letter.id, style="cyan"),
            *_times(letter),
            _consumer(letter),
            Text("\n").join(_lines(letter)),
        )
    if made is not None:
        print_table(console, made)


def _times(letter: DeadLetter) -> tuple[Text, ...]:
    if letter.waiting is None:
        return (when(letter.dead_at),)
    return when(letter.since), _next(letter.waiting)


def _next(waiting: Waiting) -> Text:
    """Say in how long a copy falls due: it is what a person who waits with it wants to know."""
    if waiting.due is None:
        return Text(f"within {spell(waiting.step)}")
    left = (waiting.due - datetime.now(UTC)).total_seconds()
    return Text("now" if left < 1 else f"in {spell(left)}")


def _consumer(letter: DeadLetter) -> Text:
    return Text(line(letter.consumer) or "-")


def _lines(letter: DeadLetter) -> Iterable[Text]:
    about = _pairs(letter.about) or _size(letter)
    yield Text(about, style="bold")
    yield Text(line(letter.error), style="red")
    if letter.fields:
        more = letter.field_count - 1
        yield Text(f"{line(letter.fields[0])}{f'; {more:,} more' if more > 0 else ''}")
    tries = f"{counted(letter.attempts, 'attempt')}, " if letter.attempts else ""
    yield Text(f"{tries}correlation id {line(letter.envelope.correlation_id) or 'none'}", style="dim")


def show(console: Console, letter: DeadLetter, *, body: bool) -> None:
    """Print one letter whole; the body only where it is asked for, since it may hold personal data."""
    envelope = letter.envelope
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    waiting = letter.waiting

    def row(name: str, *texts: str, style: str = "") -> None:
        if any(texts):
            grid.add_row(name, Text("\n".join([escaped(redact(one)) for one in texts]), style=style))

    row("letter" if waiting is None else "message", f"{letter.id} in {letter.queue}", style="bold")
    if waiting is None:
        row("when", " ".join([local(letter.dead_at), age(letter.dead_at)]))
    else:
        row("waits since", " ".join([local(waiting.since), age(waiting.since)]))
        row("next", f"{local(waiting.due)} ({_next(waiting)})")
    if letter.origin == "pacer":
        row("first seen", local(envelope.first_seen))
    row("consumer", letter.consumer)
    row("about", _pairs(letter.about))
    row("error" if waiting is None else "waits for", letter.error, style="red")
    missing = letter.field_count - len(letter.fields)
    row("fields", *letter.fields, *([f"and {missing:,} more"] if missing > 0 else []))
    if letter.origin == "pacer":
        row("attempts", _attempts(letter.attempts, envelope.retries))
    row("done", ", ".join(envelope.done))
    row("pending", ", ".join(letter.pending))
    row("rejected", *(f"{task}: {why}" for task, why in envelope.rejected.items()))
    row("facts", dumps(dict(envelope.facts)).decode() if envelope.facts else "")
    row("correlation id", envelope.correlation_id or "none")
    published = _published(envelope.exchange, envelope.routing_key)
    if letter.doubt:
        row("came from", f"nobody knows: it {letter.doubt}", letter.claimed)
    else:
        row("came from" if waiting is None else "goes back to", f"queue {envelope.queue}, {published}")
    row("path", " -> ".join(envelope.path))
    row("properties", *_listed(envelope.properties))
    row("headers", *_listed(envelope.headers))
    row("not copied", *_listed({} if letter.origin == "broker" else envelope.original))
    row("body", _size(letter) + ("" if body else " (--body shows it)"))
    print_table(console, grid)
    for failure in letter.failures:
        console.print()
        console.print(
            Text(f"{line(failure.task)} ({line(failure.kind)}): {line(failure.reason)}", style="red")
        )
        if failure.trace:
            console.print(Text(clean(failure.trace.rstrip().expandtabs(4))), soft_wrap=True)
    if body:
        console.print()
        console.print(Text(_readable(letter)), soft_wrap=True)


def _readable(letter: DeadLetter) -> str:
    try:
        return clean(letter.envelope.body.decode().expandtabs(4))
    except UnicodeDecodeError:
        return f"The body is no text: `{command('dead export')}` writes it to a file."


def _attempts(number: int, failed: int) -> str:
    """Say how often a message was tried; waiting for something, and a rejection, are no failures."""
    if number == failed == 1:
        return "1, which failed"
    return f"{number:,}, of which {failed:,} failed" if failed else f"{number:,}"


def _published(exchange: str, routing_key: str) -> str:
    if not exchange:
        return "published to the queue itself"
    return f"exchange {exchange}, routing key {routing_key or 'empty'}"


def _pairs(table: Mapping[str, str]) -> str:
    return line(", ".join(f"{name} {value}" for name, value in table.items()))


def _listed(table: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}: {value if isinstance(value, str) else dumps(value).decode()}"
        for name, value in table.items()
    ]


def _size(letter: DeadLetter) -> str:
    kind = letter.envelope.properties.get("content_type") or "unknown type"
    return line(f"{counted(letter.size, 'byte')}, {kind}")
