"""``pacer send``."""

from __future__ import annotations

import mimetypes
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from glob import glob
from pathlib import Path
from uuid import uuid4

import click
from attrs import evolve
from rich.console import Console
from rich.progress import track

from pacer_core.cli.console import echo
from pacer_core.cli.export import LETTER, holds_letters, read
from pacer_core.cli.letter_places import refuse_unseen
from pacer_core.commands import config_option
from pacer_core.config import Config, load
from pacer_core.model.errors import BrokerError, NotTakenError
from pacer_core.model.secrets import redact, screen
from pacer_core.model.suggestions import did_you_mean
from pacer_core.model.wording import counted
from pacer_core.transport.connection import connect
from pacer_core.transport.dead_queues import BATCH
from pacer_core.transport.headers import new_headers
from pacer_core.transport.letter_replay import replayed
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.signing import Signer, signer_for
from pacer_core.transport.topology import declare

STDIN = Path("-")
_MANY = 20
"""Messages, from which on a terminal sees how far it is."""


@click.command(short_help="Publish files as messages.")
@config_option
@click.option("--consumer", "-n", help="The consumer that is to read it; its first queue's exchange is used.")
@click.option("--exchange", "-e", help="Publish to this exchange instead.")
@click.option("--routing-key", "-k", help="The routing key, with --exchange.")
@click.option("--content-type", "-t", help="The media type; by the file's ending where it is not given.")
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), help="Send at most so many messages a second."
)
@click.argument("files", nargs=-1, required=True, type=click.Path(allow_dash=True, path_type=Path))
@click.pass_context
def send(
    ctx: click.Context,
    file: Path,
    consumer: str | None,
    exchange: str | None,
    routing_key: str | None,
    content_type: str | None,
    rate: float | None,
    files: tuple[Path, ...],
) -> None:
    """Publish each of FILES as one message, and wait until the broker confirms it.

    Of a folder, each file is one; - is standard input, as one message; and what is no file may be a pattern
    in quotes ('run-*/*.xml', with ** for folders in folders), for more files than a command line holds.

    What `pacer dead export` has written (a folder, a .jsonl file, a body with its .letter file) goes back to
    the queue that it came from, with its correlation id and headers, unless --consumer or --exchange say
    otherwise. What the broker does not take is named, and the others are sent; the exit code is 69 then.
    """
    config = load(file)
    refuse_unseen(config, "configure another one to send to it")
    files = files_of(files)
    letters = [path for path in files if path != STDIN and holds_letters(path)]
    plain = [path for path in files if path not in letters]
    where: tuple[str, str] | None = None
    if exchange is not None:
        where = exchange, routing_key or ""
    elif plain or consumer is not None:
        where = _target(config, consumer)
    connection = connect(config.broker, "send")
    with closing(connection):
        declare(connection, config)
    with closing(Publisher(config.broker)) as publisher:
        queues, signer = frozenset(queue.name for queue in config.queues), signer_for(config)
        failed = sum(_send_letters(publisher, path, where, queues, signer) for path in letters)
        for path in _paced(plain, rate):
            correlation_id = str(uuid4())
            media = content_type or mimetypes.guess_type(path.name)[0]
            properties = {"delivery_mode": 2, "correlation_id": correlation_id}
            if media is not None:
                properties["content_type"] = media
            (error,) = _publish(
                publisher,
                [Outgoing(*(where or _target(config, consumer)), body_of(path), properties=properties)],
            )
            if error is None:
                echo(f"{path}: confirmed, correlation id {correlation_id}")
            else:
                failed += 1
                echo(f"{path}: not sent: {redact(str(error))}", err=True)
    ctx.exit(69 if failed else 0)


def _publish(publisher: Publisher, messages: Sequence[Outgoing]) -> list[BrokerError | None]:
    """Publish, and say of each what keeps the broker from taking it; raise where it is lost."""
    said = publisher.publish_each(messages)
    for error in said:
        if error is not None and not isinstance(error, NotTakenError):
            raise error
    return said


def body_of(path: Path) -> bytes:
    """Give what a file, or standard input, holds."""
    return sys.stdin.buffer.read() if path == STDIN else path.read_bytes()


def _paced(paths: Sequence[Path], rate: float | None) -> Iterator[Path]:
    """Give one path after the other, not faster than that; a terminal sees how far it is."""
    if len(paths) >= _MANY and sys.stderr.isatty():
        console = Console(stderr=True)
        paths_shown: Iterable[Path] = track(paths, "sending", console=console, transient=True)
    else:
        paths_shown = paths
    due = time.monotonic()
    for path in paths_shown:
        if rate is not None:
            time.sleep(max(0.0, due - time.monotonic()))
            due = max(due, time.monotonic() - 1 / rate) + 1 / rate
        yield path


def files_of(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Give the files that paths stand for: folders, patterns, and - for standard input among them."""
    return tuple(one for path in paths for one in _inside(path))


def _inside(path: Path) -> list[Path]:
    """Give what a path stands for: itself, each file of a folder that is no export, or of a pattern."""
    if path == STDIN:
        return [path]
    if not path.exists():
        found = sorted(Path(one) for one in glob(str(path), recursive=True) if Path(one).is_file())
        if not found:
            raise click.UsageError(f"{path} is neither a file, nor a pattern of any")
        return found
    if not path.is_dir() or any(path.glob(f"*{LETTER}")):
        return [path]
    files = sorted(one for one in path.iterdir() if one.is_file() and not one.name.startswith("."))
    if not files:
        raise click.UsageError(f"{path} holds no file to send: neither messages nor an export")
    return files


def _send_letters(
    publisher: Publisher, path: Path, where: tuple[str, str] | None, queues: frozenset[str], signer: Signer
) -> int:
    """Send the letters of one file or folder, each to one of the queues; give how many were not taken."""
    count, left = 0, Counter[str]()
    batch: list[Outgoing] = []

    def flush() -> None:
        nonlocal count
        said = publisher.publish_each(batch)
        batch.clear()
        count += sum(error is None for error in said)
        for error in said:
            if error is not None and not isinstance(error, NotTakenError):
                raise BrokerError(f"{error}\n{path}: {counted(count, 'letter')} confirmed before that")
        left.update([redact(str(error)) for error in said if error is not None])

    for _, envelope in read(path):
        if where is None and envelope.queue not in queues:
            left[
                "nobody knows the queue that it came from, or the configuration does not have it: say with "
                "--consumer or --exchange where it is to go"
            ] += 1
            continue
        message = replayed(envelope)
        if where is not None:
            message = evolve(message, exchange=where[0], routing_key=where[1])
        # By way of an exchange it is a new message: whichever queues take it, and no copy of theirs.
        batch.append(
            evolve(message, headers=new_headers(message.headers))
            if message.exchange
            else signer.signed(message, message.routing_key)
        )
        if len(batch) >= BATCH:
            flush()
    flush()
    if not count and not left:
        raise click.UsageError(f"{path} holds no letter: nothing of it was sent")
    echo(f"{path}: {counted(count, 'letter')} confirmed")
    for reason, number in left.items():
        echo(f"{path}: {counted(number, 'letter')} not sent: {reason}", err=True)
    return left.total()


def _target(config: Config, consumer: str | None) -> tuple[str, str]:
    """Give exchange and routing key of a consumer's first queue."""
    plans = [plan for plan in config.consumers if consumer in (None, plan.name)]
    names = screen(", ".join(plan.name for plan in config.consumers))
    if not plans:
        meant = did_you_mean(consumer or "", [plan.name for plan in config.consumers])
        raise click.UsageError(f"no consumer {consumer!r} in {config.file}{meant}; there are: {names}")
    if len(plans) > 1:
        raise click.UsageError(f"which consumer is it for? Say --consumer with one of: {names}")
    return config.queue(plans[0].config.queues[0]).address
