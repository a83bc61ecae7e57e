"""The main job on embedded parts: messages go in at a broker, and a catalogue is filled.

Starts the ICAT sandbox and an in-memory broker in this process, publishes the messages in ``messages/``,
does what ``pacer run --once`` does, and shows what became of them. Leaves nothing behind.
"""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import icat.client
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pacer_core import Delivery, Outcome, logs
from pacer_core.config import Config, load
from pacer_core.transport.connection import connect
from pacer_core.transport.dead import look
from pacer_core.transport.publish import Outgoing, Publisher
from pacer_core.transport.topology import dead_queue, declare
from pacer_core.worker import Worker
from pacer_sandbox import IcatSandbox

HERE = Path(__file__).parent
MESSAGES = [
    ("dataset-alba.xml", "ALBA's XML, with its default namespace"),
    ("dataset-alba.json", "the same dataset as JSON"),
    ("dataset-esrf.xml", "ESRF's XML, in another namespace"),
    ("broken-json.json", "cut off in the middle"),
    ("broken-fields.xml", "an empty name, a date that is none, a missing value"),
]
COLOURS = {Outcome.ACKED: "green", Outcome.RETRIED: "yellow", Outcome.DEAD: "red"}

console = Console(highlight=False, width=None if os.isatty(1) else 120)


def main() -> None:
    """Run the demo."""
    with IcatSandbox(seed="demo") as sandbox:
        os.environ |= {"DEMO_ICAT_URL": sandbox.url, "DEMO_ICAT_PASSWORD": "secret"}
        config = load(HERE / "pacer.yaml")
        logs.set_up_run(config.logging)
        names = publish(config)
        deliveries: list[Delivery] = []
        Worker(config, config.consumers, observe=deliveries.append).run(once=True)
        show_deliveries(deliveries, names)
        show_catalogue(sandbox.url)
        show_dead(config, names)
    console.rule("Where to go next")
    console.print(
        "docs/tutorials/first-plugin.md   write a consumer of your own, in twelve lines\n"
        "examples/demo/pacer.yaml         this demo's configuration; `pacer config check -c` reads it\n"
        "pacer sandbox icat --seed demo   the same ICAT, to play with\n"
        "pacer plugins list               what is installed, and what it registers"
    )


def publish(config: Config) -> dict[str, str]:
    """Send the messages, and give their files by correlation id."""
    queue = config.queues[0]
    table = Table("file", "what it is", title="Published", title_justify="left", box=None)
    with closing(connect(config.broker, "demo")) as connection:
        declare(connection, config)
    names = {f"demo-{number}": name for number, (name, _) in enumerate(MESSAGES, 1)}
    with closing(Publisher(config.broker)) as publisher:
        for (correlation_id, name), (_, about) in zip(names.items(), MESSAGES, strict=True):
            body = (HERE.parent / "messages" / name).read_bytes()
            properties = {"correlation_id": correlation_id}
            publisher.publish(
                [Outgoing(queue.exchange or "", queue.routing_key or "", body, properties=properties)]
            )
            table.add_row(name, about)
    console.print(table)
    return names


def show_deliveries(deliveries: list[Delivery], names: dict[str, str]) -> None:
    """Show what each task did with each message."""
    table = Table("file", "outcome", "tasks", "in ms", title="\nHandled", title_justify="left", box=None)
    for delivery in sorted(deliveries, key=lambda one: one.envelope.correlation_id):
        failed = {failure.task: failure.kind for failure in delivery.failures}
        tasks = [f"{task}: done" for task in delivery.done]
        tasks += [f"{task}: {kind}" for task, kind in failed.items()]
        table.add_row(
            names[delivery.envelope.correlation_id],
            Text(delivery.outcome.value, style=COLOURS[delivery.outcome]),
            "\n".join(tasks),
            f"{1000 * sum(delivery.timings.values()):.0f}",
        )
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
    for dataset in datasets:
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


def show_dead(config: Config, names: dict[str, str]) -> None:
    """Show what waits for a person, and why."""
    table = Table("file", "why", title="\nIn the dead queue", title_justify="left", box=None)
    reasons: dict[str, list[str]] = defaultdict(list)
    with closing(connect(config.broker, "demo")) as connection:
        for queue in config.queues:
            for letter in look(connection, dead_queue(queue.name)):
                reasons[letter.envelope.correlation_id] += [
                    letter.error,
                    *(f"  {one}" for one in letter.fields),
                ]
    for correlation_id, lines in reasons.items():
        table.add_row(names[correlation_id], Text("\n".join(lines)))
    console.print(table)
    console.print()


if __name__ == "__main__":
    main()
