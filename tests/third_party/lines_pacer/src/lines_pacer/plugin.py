"""The lines of a file, each a message: what the source of a service has to be able to do, and no more."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import field, frozen, validators

from pacer_core import RefusedError, Seen, ServiceContext, ServiceType, hookimpl

NAME = "lines"
PERSON = "Ada Lovelace"


@frozen
class Lines:
    """A file that grows.

    Attributes
    ----------
    file
        The file.
    to
        The consumer or queue that its lines are for.
    at_once
        How many lines are read together.
    """

    file: str
    to: str
    at_once: int = field(default=100, validator=validators.ge(1))


def run(ctx: ServiceContext) -> None:
    """Send each line, and note after each confirm how far it has come."""
    file, position = Path(ctx.options.file), ctx.folder / f"position-{ctx.instance}"
    ctx.ready()
    while not ctx.stopping.is_set():
        if not file.exists():
            ctx.trouble(f"{file} is not there: make it")
            ctx.stopping.wait(0.05)
            continue
        ctx.trouble("")
        for number, line in new(file, position, ctx.options.at_once):
            if ctx.stopping.is_set():
                return
            obey(line)
            try:
                ctx.publish(ctx.options.to, line, {"x-line": number}, message_id=f"{file.name}-{number}")
            except RefusedError:
                ctx.count("refused")
            note(position, number)
            ctx.count("lines")
        ctx.stopping.wait(0.05)


def note(position: Path, number: int) -> None:
    """Note how far it has come: a process that is killed leaves the old note or the new one."""
    new = position.with_suffix(".new")
    new.write_text(str(number))
    new.replace(position)


def obey(line: bytes) -> None:
    """Do what a test wants to see."""
    if line == b"raise":
        raise ValueError(PERSON)
    if line == b"hang":
        time.sleep(3600)


def new(file: Path, position: Path, most: int) -> Iterator[tuple[int, bytes]]:
    """Give the lines that are not sent yet, with their numbers from 1."""
    done = int(position.read_text() or 0) if position.exists() else 0
    lines = file.read_bytes().splitlines()
    yield from list(enumerate(lines, 1))[done : done + most]


def leave(ctx: ServiceContext) -> None:
    """Return at once, although nobody has said so."""
    ctx.ready()


def check(options: Lines) -> Iterable[Seen]:
    """Look whether the file is there."""
    there = Path(options.file).exists()
    return [Seen(f"{options.file} is there")] if there else [Seen(f"{options.file} is not there", "make it")]


@hookimpl
def pacer_services() -> Iterable[ServiceType]:
    """Give the service, and one that does not do what it should."""
    yield ServiceType(
        name=NAME,
        options=Lines,
        run=run,
        check=check,
        publishes=lambda options: [options.to],
        counts=("lines", "refused"),
    )
    yield ServiceType(name="leaves", options=None, run=leave)
