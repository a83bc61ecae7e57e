"""The page on metrics and health, made of the metrics that a PACER without a worker gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import Metric

from pacer_core import plugins
from pacer_core.model.messages import IGNORED
from pacer_core.observe.health.prometheus import sections
from pacer_core.observe.health.queues import Answer
from pacer_core.observe.metrics import KINDS, PLACES
from pacer_core.transport.queue_status import BrokerStatus

HERE = Path(__file__).parent / "reference"
HEAD = """\
# Metrics and health

What `pacer run` answers over HTTP, at `health.host` and `health.port` of
[the configuration](configuration.md): by default at `http://127.0.0.1:9807`, to this machine alone. It asks
for no password. `pacer run --once` answers nothing.

| Path | Answers |
|---|---|
| `/livez` | 200, or 503 where the supervisor's loop has not gone round for 30 seconds |
| `/readyz` | 200, or 503 with the `reasons` as JSON |
| `/metrics` | all of the metrics below, in Prometheus' text format or as OpenMetrics, whichever is asked for |
| `/status` | workers, open breakers and hottest keys as JSON |

PACER is ready when each worker reads its queues, stands by for another host, or is paused because everything that it
could do needs a system that is away; when each service says that it does its work, and nothing hinders it; and when the broker has answered within the last 15 seconds. While it stops it is
not. A queue of somebody else's that is gone (`declare: passive`) stops the worker that reads it, and no other; until
it is back, `reasons` names it. `advice` in the answer of `/readyz` says what somebody should look at although everything runs.

A connection has ten seconds for its request and the answer, and a request 16 KiB. There are 64 connections at a time: for a
further one the oldest is cut.

Nothing of this waits for a worker, and no worker waits for it. Workers count in files below
`processes.stateFolder`, which outlive them: what a killed worker had counted stays, and its successor counts on. All
counters begin at 0 with the supervisor. The broker is asked at most every 3 seconds, and only when somebody asks
PACER.
"""
TABLE = "| Metric | Type | Labels | |\n|---|---|---|---|"
AFTER = {
    "Messages": """\
The `kind` of a failure is one of {kinds}. In the place of a task, {places} stand for what failed outside of them.
[Errors](errors.md#of-a-message) says what each means, and what to do.
[Delivery](delivery.md) says which [signatures fit](delivery.md#whose-word-is-taken), and what becomes of a message whose end
[the broker does not take](delivery.md#when-the-broker-does-not-take-a-copy).

What a consumer type counts in `pacer_counted_total`:

{consumers}
""",
    "Workers and integrations": """\
A worker is called `CONSUMER-NUMBER`, or `key:SPACE` where it runs all consumers of a key space, and a process of a
service `service:NAME-NUMBER`.
""",
    "Services": """\
What a service counts in `pacer_service_counted_total`:

{services}
""",
}
SERVICES = {
    "dashboard-upkeep": "dashboard-upkeep.md",
    "files": "../how-to/files-from-a-folder.md",
    "kafka": "kafka.md",
    "pacifica": "pacifica-api.md",
}
"""The pages that say what each service counts."""


def page() -> str:
    """Give the page about metrics and health.

    Raises
    ------
    LookupError
        Where no page says what a plugin counts.
    """
    counted = {
        "kinds": _listed(KINDS),
        "places": _listed(PLACES),
        "consumers": "\n".join(_consumers()),
        "services": "\n".join(_services()),
    }
    parts = [HEAD]
    for about, families in sections([], Answer(BrokerStatus("", "", (), ()))).items():
        parts += [f"## {about}\n", TABLE, *map(_row, families), ""]
        if about in AFTER:
            parts.append(AFTER[about].format_map(counted))
    return "\n".join(parts)


def _row(metric: Metric) -> str:
    name = {"counter": f"{metric.name}_total", "info": f"{metric.name}_info"}.get(metric.type, metric.name)
    kind = "gauge" if metric.type == "info" else metric.type
    # What has no sample yet keeps its labels to itself; `le` is Prometheus' own.
    given = [*metric.samples[0].labels] if metric.samples else metric._labelnames
    labels = ", ".join(f"`{label}`" for label in given if label != "le")
    return f"| {' | '.join([f'`{name}`', kind, labels, metric.documentation])} |".replace("|  |", "| |")


def _listed(names: tuple[str, ...]) -> str:
    *first, last = (f"`{name}`" for name in names)
    return f"{', '.join(first)} and {last}"


def _consumers() -> Iterator[str]:
    for name, consumer in sorted(plugins.load().consumers.items()):
        ignores = [IGNORED] if getattr(consumer.message, "XML_IGNORED", ()) else []
        counts = dict.fromkeys([*ignores, *(what for task in consumer.tasks for what in task.counts)])
        if counts:
            yield _counts(name, tuple(counts), _page_of(name))


def _services() -> Iterator[str]:
    for name, service in sorted(plugins.load().services.items()):
        if service.counts:
            yield _counts(name, service.counts, SERVICES[name])


def _page_of(consumer: str) -> str:
    """Give the page whose title names a consumer type."""
    pages = (HERE / "consumers").glob("*.md")
    found = [page for page in pages if f"`{consumer}`" in page.read_text().partition("\n")[0]]
    if not found:
        raise LookupError(f"no page of docs/reference/consumers has `{consumer}` in its title")
    return f"consumers/{found[0].name}"


def _counts(name: str, counts: tuple[str, ...], page: str) -> str:
    """Give the line of a consumer type or a service, whose page has to say what each of its counts is."""
    text = (HERE / page).read_text()
    if missing := [one for one in counts if f"`{one}`" not in text]:
        raise LookupError(f"docs/reference/{page}: say what {', '.join(missing)} in the metrics is")
    return f"* [`{name}`]({page}): {', '.join(f'`{one}`' for one in counts)}"
