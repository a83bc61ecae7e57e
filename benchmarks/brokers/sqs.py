"""SQS: PACER's transport against kombu's own, both at one ElasticMQ; kombu's wants pycurl (``kombu[sqs]``).

PACER goes the full path (parse, a task that does nothing, settle, acknowledge); kombu's loop acknowledges and
decodes what its transport decodes. The messages are those of a publisher that knows neither.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import boto3

from benchmarks import messages
from benchmarks.brokers.sheet import Row, Suite
from benchmarks.contest import Contestant, Start, install_plugin
from benchmarks.run import handled
from tests.services import ElasticMQ

_MESSAGES, _PREFETCH = 3_000, 100
_BATCH = 10


def _fill(url: str, queue: str, count: int) -> None:
    sqs: Any = boto3.client(
        "sqs", region_name="us-east-1", endpoint_url=url, aws_access_key_id="x", aws_secret_access_key="x"
    )
    where = sqs.create_queue(QueueName=queue, Attributes={"VisibilityTimeout": "120"})["QueueUrl"]
    body = messages.as_json().decode()

    def send(number: int) -> None:
        entries = [{"Id": str(one), "MessageBody": body} for one in range(min(_BATCH, count - number))]
        sqs.send_message_batch(QueueUrl=where, Entries=entries)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(0, count, _BATCH)))


def _configuration(url: str, queue: str, one: Contestant) -> str:
    broker = f'protocol: sqs, region: us-east-1, endpoint: "{url}"'
    return f"""brokers:
  main: {{{broker}, accessKeyId: x, secretAccessKey: of-the-benchmark, visibilityTimeout: 120s}}
queues: [{{name: {queue}, declare: passive}}]
consumers:
  - {{type: bench, queues: [{queue}], concurrency: {one.threads}, prefetch: {one.prefetch}}}
logging: {{logLevel: WARNING}}
"""


def _pacer(start: Start, one: Contestant) -> list[str]:
    install_plugin(start.folder)
    file = start.folder / "pacer.yaml"
    file.write_text(_configuration(one.environment["BENCH_URL"], start.queue, one))
    return [str(Path(sys.executable).with_name("pacer")), "run", "--config", str(file)]


def _kombu(_: Start, __: Contestant) -> list[str]:
    return [sys.executable, "-m", "benchmarks.contestants.kombu_sqs"]


def _measure(server: ElasticMQ, one: Contestant) -> float:
    folder = Path(tempfile.mkdtemp(prefix="pacer-bench-"))
    start = Start(server.port, f"bench-{uuid.uuid4().hex[:8]}", "", folder)
    try:
        _fill(server.url, start.queue, one.warm_up + one.expects)
        return handled(start, one).rate
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def opened(factor: float) -> Iterator[Mapping[str, Callable[[], float]]]:
    """Start an ElasticMQ, and give who is measured on it."""
    with ElasticMQ() as server:
        there = {"BENCH_URL": server.url}
        yield {
            name: partial(
                _measure,
                server,
                Contestant(name, command, expects=_MESSAGES, prefetch=_PREFETCH, environment=there).scaled(
                    factor
                ),
            )
            for name, command in {"pacer": _pacer, "kombu": _kombu}.items()
        }


SUITE = Suite(
    "sqs", opened, (Row("sqs/kombu", 1.5, "pacer", "kombu"),), ("pacer-sqs", "kombu", "boto3", "pycurl")
)
