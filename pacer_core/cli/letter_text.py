"""Letters on a screen, and as JSON."""

from __future__ import annotations

import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from attrs import define, field
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pacer_core.cli.console import print_table
from pacer_core.cli.options import command
from pacer_core.model.escapes import escaped, escaped_json, escaped_lines
from pacer_core.model.secrets import redact
from pacer_core.model.wording import counted
from pacer_core.transport.letters import DeadLetter, Waiting

NARROW = 100
_VARIES = re.compile(r"'[^']*'|\"[^\"]*\"|\d+")
_DEEPEST = 150  # tables and arrays in one another; orjson writes 254
_MOST_CAUSES = 1000
_LONGEST_CAUSE = 1000  # characters: PACER writes no more
_SHOWN_CAUSES = 10


def clean(text: str) -> str:
    """Give a text that a terminal only shows: publishers could send what moves its cursor, or worse."""
    return escaped_lines(redact(text))


def line(text: str) -> str:
    """Give a text in one clean line."""
    return escaped(redact(" ".join(text.split())))


@define
class Tally:
    """What was seen in queues: how many, of whom, and why; as large as the causes are many, not more."""

    looked: int = 0
    matching: int = 0
    queues: Counter[str] = field(factory=Counter)
    """By the queue they lie in, those that match."""
    targets: Counter[str] = field(factory=Counter)
    """By the work queue they came from, those that match."""
    elsewhere: Counter[str] = field(factory=Counter)
    """By work queue, those that are no business of this configuration."""
    consumers: set[str] = field(factory=set)
    """Whose letters were seen, whether they match or not."""
    causes: Counter[tuple[str, str]] = field(factory=Counter)
    """By consumer and error, with what varies in it left out."""

    def see(self, letter: DeadLetter) -> None:
        """Count one that is this configuration's, whether it matches or not."""
        self.looked += 1
        if len(self.consumers) < _MOST_CAUSES:
            self.consumers.add(letter.consumer)

    def see_elsewhere(self, letter: DeadLetter) -> None:
        """Count one that is no business of this configuration."""
        queue = letter.envelope.queue
        known = queue in self.elsewhere or len(self.elsewhere) < _MOST_CAUSES
        self.elsewhere[queue if known else "others"] += 1

    def add(self, letter: DeadLetter) -> None:
        """Count one that matches."""
        self.matching += 1
        self.queues[letter.queue] += 1
        if not letter.doubt:
            self.targets[letter.envelope.queue] += 1
        cause = letter.consumer, _VARIES.sub("…", line(letter.error)[:_LONGEST_CAUSE])
        if cause not in self.causes and len(self.causes) >= _MOST_CAUSES:
            cause = "", "other errors"
        self.causes[cause] += 1

    def as_json(self) -> dict[str, Any]:
        """Give the counts as plain data."""
        return {
            "looked": self.looked,
            "matching": self.matching,
            "queues": dict(self.queues),
            "causes": [
                {"consumer": consumer, "error": error, "count": count}
                for (consumer, error), count in self.causes.most_common()
            ],
        }

    def show(self, console: Console, headline: str) -> None:
        """Print how many there are, and why."""
        console.print(Text(line(headline), style="bold"))
        self.show_causes(console)

    def show_causes(self, console: Console) -> None:
        """Print how many there are of each consumer and cause."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(justify="right")
        for (consumer, error), count in self.causes.most_common(_SHOWN_CAUSES):
            grid.add_row(f"  {count:,}", Text(line(consumer) or "-"), Text(error))
        rest = len(self.causes) - _SHOWN_CAUSES
        if rest > 0:
            grid.add_row("", "", f"and {counted(rest, 'other cause')}")
        print_table(console, grid)


def summary(letter: DeadLetter) -> dict[str, Any]:
    """Give a letter as plain data, without its body, headers and properties."""
    envelope, waiting = letter.envelope, letter.waiting
    state: dict[str, Any]
    if waiting is None:
        state = {"dead_at": _iso(letter.dead_at)}
        why = {"error": letter.error, "fields": list(letter.fields), "field_count": letter.field_count}
    else:
        state = {"delay": waiting.step, "waits_since": _iso(waiting.since), "due": _iso(waiting.due)}
        why = {"waits_for": letter.error}
    return {
        "id": letter.id,
        "queue": letter.queue,
        "came_from": None if letter.doubt else envelope.queue,
        "claims_to_come_from": letter.claimed or None,
        "put_here_by": letter.origin,
        **state,
        "first_seen": _iso(envelope.first_seen) if letter.origin == "pacer" else None,
        "consumer": letter.consumer or None,
        "about": dict(letter.about),
        **why,
        "attempts": letter.attempts,
        "retries": envelope.retries,
        "correlation_id": envelope.correlation_id or None,
        "done": list(envelope.done),
        "pending": list(letter.pending),
        "rejected": dict(envelope.rejected),
        "content_type": envelope.properties.get("content_type"),
        "size": letter.size,
    }


def whole(letter: DeadLetter) -> dict[str, Any]:
    """Give a letter as plain data, with all but its body."""
    envelope = letter.envelope
    return summary(letter) | {
        "exchange": envelope.exchange,
        "routing_key": envelope.routing_key,
        "path": list(envelope.path),
        "facts": dict(envelope.facts),
        "failures": [
            {"task": one.task, "kind": one.kind, "reason": one.reason, "trace": one.trace}
            for one in letter.failures
        ],
        "properties": dict(envelope.properties),
        "headers": dict(envelope.headers),
        "original": dict(envelope.original),
    }


def dumps(data: Any, *, indent: bool = False) -> bytes:
    """Write JSON, whatever a publisher has put into it: times, bytes, tables in tables without end.

    No character in it controls a terminal, or ends a line; it means the same.
    """
    option = orjson.OPT_INDENT_2 if indent else None
    try:
        text = orjson.dumps(data, default=_plain, option=option)
    except TypeError:  # deeper, larger or stranger than JSON's writer takes
        text = orjson.dumps(_writable(data, _DEEPEST), option=option)
    return escaped_json(text.decode()).encode()


def _plain(value: Any) -> Any:
    return b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _writable(value: Any, deep: int) -> Any:
    """Give data as JSON's writer takes it: what is nested too deeply is left out, and said to be."""
    if isinstance(value, str):
        return _whole(value)
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if not isinstance(value, Mapping | list | tuple):
        return _whole(str(value)) if not isinstance(value, int) else hex(value)
    if not deep:
        return "left out: it is nested too deeply"
    if isinstance(value, Mapping):
        return {_name(key): _writable(one, deep - 1) for key, one in value.items()}
    return [_writable(one, deep - 1) for one in value]


def _name(key: Any) -> str:
    return _whole(key.decode(errors="backslashreplace") if isinstance(key, bytes) else str(key))


def _whole(text: str) -> str:
    """Give a text without halves of characters, which no encoding has."""
    return text.encode(errors="backslashreplace").decode()


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
        row("when", " ".join([_local(letter.dead_at), _age(letter.dead_at)]))
    else:
        row("waits since", " ".join([_local(waiting.since), _age(waiting.since)]))
        row("next", f"{_local(waiting.due)} ({_next(waiting)})")
    if letter.origin == "pacer":
        row("first seen", _local(envelope.first_seen))
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


def when(time: datetime | None) -> Text:
    """Give a time as a person in this place wants it in a table."""
    if time is None:
        return Text("unknown", style="dim")
    here = time.astimezone()
    now = datetime.now(UTC).astimezone()
    return Text(f"{here:%d %b %H:%M}" if here.year == now.year else f"{here:%d %b %Y}")


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


def _local(time: datetime | None) -> str:
    return "unknown" if time is None else f"{time.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def _age(time: datetime | None) -> str:
    if time is None:
        return ""
    return f"({spell(max((datetime.now(UTC) - time).total_seconds(), 0))} ago)"


def spell(seconds: float) -> str:
    """Give a time of some seconds in the unit that fits it."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size or seconds == size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
