"""A worker whose queue another process reads exclusively: it waits, and takes over."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from pacer_core.config import load
from pacer_core.transport.topology import declare
from pacer_core.work import worker
from pacer_core.work.worker import Worker
from tests.lab import Lab
from tests.support import eventually


def test_a_stand_by_waits_without_collecting_threads_and_takes_over(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.configure(queue="name: jobs, declare: passive, type: classic", consumer="type: keyed, queues: [jobs]")
    first = lab.channel
    first.queue_declare("jobs", durable=True, auto_delete=False)
    first.basic_consume("jobs", exclusive=True)
    tries: list[Any] = []

    def attempt(*given: Any) -> None:
        tries.append(given)
        declare(*given)

    monkeypatch.setattr(worker, "declare", attempt)
    monkeypatch.setattr(worker, "STAND_BY", 0.01)
    config = load(lab.file)
    second = Worker(config, config.consumers)
    thread = threading.Thread(target=second.run)
    thread.start()
    try:
        eventually(lambda: len(tries) > 5)
        lanes = [one for one in threading.enumerate() if one.name.startswith("lane-")]
        assert len(lanes) <= config.consumers[0].config.concurrency
        first.close()
        lab.publish({"name": "a", "number": 1})
        eventually(lambda: lab.effects == ["begin a 1", "end a 1"])
    finally:
        second.stop()
        thread.join()
