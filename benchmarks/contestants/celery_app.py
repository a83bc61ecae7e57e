"""celery: a task that acknowledges late, on a queue that is there; started by celery's own command."""

from __future__ import annotations

from typing import Any

from celery import Celery
from kombu import Queue

from benchmarks import probe

app = Celery("benchmarks", broker=probe.SETTING["url"], set_as_current=False)
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_hijack_root_logger=False,
    worker_enable_remote_control=False,
    broker_connection_retry_on_startup=True,
    task_queues=[Queue(probe.SETTING["queue"], no_declare=True, queue_arguments={"x-queue-type": "quorum"})],
    task_create_missing_queues=False,
)


@app.task(name="handle")  # type: ignore[untyped-decorator]  # celery has no types
def handle(_: Any) -> None:
    """Do the work that the benchmark asks for."""
    probe.work()
