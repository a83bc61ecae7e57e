"""An outside system that is away for a while: messages wait, nothing is lost, no attempt is counted."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from pacer_core.config import load
from pacer_core.transport.connection import connect
from pacer_core.transport.publish import Outgoing, Publisher
from pacer_core.transport.topology import declare
from tests.faults.conftest import Scale
from tests.faults.ledger import TASKS, Ledger
from tests.services import RabbitMQ
from tests.support import Site, eventually

PLUGIN = """
    import os
    from contextlib import contextmanager
    from pathlib import Path
    from attrs import frozen
    from pacer_core import ConsumerType, IntegrationType, Text, hookimpl, task

    class Away(Exception):
        pass

    @frozen
    class Options:
        flag: str

    class Shelf:
        def __init__(self, options):
            self.flag = Path(options.flag)

        def check(self):
            if self.flag.exists():
                raise Away("the shelf is away")

    @contextmanager
    def open_shelf(options):
        yield Shelf(options)

    SHELF = IntegrationType(name="shelf", options=Options, open=open_shelf, check=Shelf.check,
                            is_away=lambda error: isinstance(error, Away))

    @frozen
    class Sample:
        name: Text

    @task(needs=[SHELF])
    def store(sample, ctx):
        ctx[SHELF].check()
        with open(os.environ["EFFECTS"], "a") as file:
            file.write(f"{sample.name} {ctx.envelope.retries}\\n")

    @hookimpl
    def pacer_integrations():
        yield SHELF

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(name="samples", message=Sample, tasks=[store])
"""

CONFIG = """
    brokers:
      main: {{host: 127.0.0.1, port: {port}, username: guest, password: guest, vHost: {vhost}}}
    queues: [{{name: samples}}]
    consumers:
      - {{type: samples, queues: [samples], integrations: [shelf], concurrency: {threads}}}
    integrations: {{shelf: {{flag: {flag}}}}}
    processes: {{stateFolder: {state}}}
"""


@pytest.mark.parametrize("threads", [1, 4])
def test_what_needs_an_absent_system_waits_for_it(
    site: Site,
    rabbitmq: RabbitMQ,
    rabbitmq_vhost: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    threads: int,
) -> None:
    flag, effects = tmp_path / "away", tmp_path / "effects"
    flag.touch()
    effects.touch()
    monkeypatch.setenv("EFFECTS", str(effects))
    site.install("shelf-pacer", PLUGIN)
    values: dict[str, Any] = {"port": rabbitmq.port, "vhost": rabbitmq_vhost, "threads": threads}
    file = site.write(CONFIG.format(**values, flag=flag, state=tmp_path / "state"))
    config = load(file)
    with closing(connect(config.broker, "test")) as connection:
        declare(connection, config)
    with closing(Publisher(config.broker)) as publisher:
        publisher.publish(
            [Outgoing("", "samples", orjson.dumps({"name": f"s{number}"})) for number in range(50)]
        )

    running = site.start("run", "--config", file)
    running.wait_for("integration shelf is away")
    assert effects.read_text() == ""
    flag.unlink()
    eventually(lambda: len(effects.read_text().splitlines()) == 50, 60, lambda: running.printed)

    assert running.end() == 0
    done = [line.split() for line in effects.read_text().splitlines()]
    assert sorted(name for name, _ in done) == sorted(f"s{number}" for number in range(50))
    # Only what was tried before the breaker opened counts: a few messages, once each.
    assert max(int(retries) for _, retries in done) <= 1


def test_what_needs_no_absent_system_is_done_and_nothing_is_dead_for_its_absence(
    ledger: Ledger, scale: Scale
) -> None:
    """The stand-in of ICAT is away, comes back, and goes again; the others' tasks are done meanwhile."""
    flag = ledger.lab.site.folder / "away"
    ledger.lab.site.write(
        "import pacer_core.breakers as breakers; breakers.PROBE = 0.5\n", "sitecustomize.py"
    )
    ledger.tasks = {**ledger.tasks, "jobs": (*TASKS, "shelve")}
    ledger.configure(
        consumer=", concurrency: 4, integrations: [shelf], retries: {limit: 2}",
        more=f"integrations: {{shelf: {{flag: {flag}}}}}",
    )
    running = ledger.lab.run()
    for _ in range(scale(1, 3)):
        ledger.send(scale(50, 1000))
        ledger.wait(running, scale(120, 300))
        flag.touch()
        names = set(ledger.send(scale(50, 1000)))
        eventually(
            lambda names=names: names <= {one[2] for one in ledger.lines() if one[1] == "second"},  # type: ignore[misc]  # mypy sees no default
            what=lambda: running.printed[-6000:],
        )
        for _ in range(scale(0, 6)):  # messages go on coming while it is away for a minute
            time.sleep(10)
            ledger.mixture(100)
        flag.unlink()
    ledger.wait(running, scale(120, 300))

    assert "integration shelf is away" in running.printed
    assert running.end() == 0
    ledger.close("ICAT away, and back")
