"""``pacer send``."""

from __future__ import annotations

import mimetypes
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import click

from pacer_core.cli.options import config_option
from pacer_core.config import Config, load
from pacer_core.errors import BrokerError
from pacer_core.transport.connection import connect
from pacer_core.transport.publish import Outgoing, Publisher
from pacer_core.transport.topology import declare


@click.command()
@config_option
@click.option("--consumer", "-n", help="The consumer that is to read it; its first queue's exchange is used.")
@click.option("--exchange", "-e", help="Publish to this exchange instead.")
@click.option("--routing-key", "-k", help="The routing key, with --exchange.")
@click.option("--content-type", "-t", help="The media type; by the file's ending where it is not given.")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
def send(
    file: Path,
    consumer: str | None,
    exchange: str | None,
    routing_key: str | None,
    content_type: str | None,
    files: tuple[Path, ...],
) -> None:
    """Publish each of FILES as one message, and wait until the broker confirms it."""
    config = load(file)
    if config.broker.embedded:
        raise BrokerError(
            "an in-memory broker is seen by one process only: configure a real one to send to it"
        )
    where = (exchange, routing_key or "") if exchange is not None else _target(config, consumer)
    connection = connect(config.broker, "send")
    with closing(connection):
        declare(connection, config)
    with closing(Publisher(config.broker)) as publisher:
        for path in files:
            correlation_id = str(uuid4())
            media = content_type or mimetypes.guess_type(path.name)[0]
            properties = {"delivery_mode": 2, "correlation_id": correlation_id}
            if media is not None:
                properties["content_type"] = media
            publisher.publish([Outgoing(*where, path.read_bytes(), properties=properties)])
            click.echo(f"{path}: confirmed, correlation id {correlation_id}")


def _target(config: Config, consumer: str | None) -> tuple[str, str]:
    """Give exchange and routing key of a consumer's first queue."""
    plans = [plan for plan in config.consumers if consumer in (None, plan.name)]
    names = ", ".join(plan.name for plan in config.consumers)
    if not plans:
        raise click.UsageError(f"no consumer {consumer!r} in {config.file}; there are: {names}")
    if len(plans) > 1:
        raise click.UsageError(f"which consumer is it for? Say --consumer with one of: {names}")
    queue = config.queue(plans[0].config.queues[0])
    if queue.exchange is None:
        return "", queue.name
    return queue.exchange, queue.routing_key if queue.routing_key is not None else queue.name
