"""What stands against a start is said once, and before any worker begins."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from pacer_core.config import load
from pacer_core.transport.connection import connect
from tests.services import RabbitMQ
from tests.support import Site, eventually

PLUGIN = """
    from attrs import frozen
    from pacer_core import ConsumerType, Text, hookimpl

    @frozen
    class Sample:
        name: Text

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(name="samples", message=Sample, tasks=[])
"""

LORRY = """
    from contextlib import nullcontext
    from attrs import frozen
    from pacer_core import IntegrationType, hookimpl, task

    @frozen
    class Options:
        pass

    LORRY = IntegrationType(name="lorry", options=Options, open=nullcontext)

    @task
    def weigh_sample(sample, ctx):
        pass

    @task(needs=[LORRY])
    def load_sample(sample, ctx):
        pass

    @hookimpl
    def pacer_integrations():
        yield LORRY

    @hookimpl
    def pacer_tasks(consumer):
        yield weigh_sample
        yield load_sample
"""

CONFIG = """
    brokers:
      main: {{host: 127.0.0.1, port: {port}, username: guest, password: guest, vHost: {vhost}}}
    queues: [{{name: samples}}]
    consumers: [{{type: samples, queues: [samples]}}]
    processes: {{stateFolder: {state}}}
"""


@pytest.fixture
def file(site: Site, rabbitmq: RabbitMQ, rabbitmq_vhost: str, tmp_path: Path) -> Path:
    """Write a configuration for this test's broker."""
    site.install("sample-pacer", PLUGIN)
    return site.write(CONFIG.format(port=rabbitmq.port, vhost=rabbitmq_vhost, state=tmp_path / "state"))


def test_a_queue_with_other_arguments_ends_the_run_with_the_line_to_write(site: Site, file: Path) -> None:
    with closing(connect(load(file).broker, "test")) as connection:
        connection.channel().queue_declare(queue="samples", durable=True, auto_delete=False)
    running = site.start("run", "--config", file)
    assert running.process.wait(30) == 69
    assert "{name: samples, declare: passive}" in running.printed
    assert "Traceback" not in running.printed


def test_a_state_folder_that_cannot_be_written_is_named(site: Site, file: Path, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file stands where the folder should")
    running = site.start("run", "--config", file)
    assert running.process.wait(30) == 70
    assert "processes.stateFolder" in running.printed
    assert "Traceback" not in running.printed


def test_the_tasks_that_a_consumer_leaves_out_are_named_once(site: Site, file: Path) -> None:
    site.install("lorry-pacer", LORRY)
    file.write_text(file.read_text().replace("queues: [samples]}", "queues: [samples], workers: 2}"))
    running = site.start("run", "--config", file)
    eventually(lambda: running.printed.count("reading samples") == 2, what=lambda: running.printed)
    assert running.end() == 0
    (line,) = (line for line in running.printed.splitlines() if "load_sample" in line)
    assert "samples acknowledges its messages without load_sample (needs lorry)" in line
    assert "WARNING" in line
