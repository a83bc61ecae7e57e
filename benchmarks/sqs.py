"""How fast PACER is at SQS, beside kombu's own transport for it, both at one ElasticMQ.

    python -m benchmarks.sqs [--messages N] [--repeats N]

`sqs/kombu`: `pacer run` with a task that does nothing, by the full path (parse, task, settle, acknowledge),
against a loop of kombu's that decodes nothing and acknowledges: messages a second, taking turns, the median
of the ratios within each repeat. Every run finds its queue filled; what is measured begins with the first
message.

kombu's transport wants pycurl: the extra ``kombu[sqs]``. The result is written into ``results/brokers.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
from attrs import frozen

from benchmarks import messages
from benchmarks.contest import Contestant, Start, install_plugin
from benchmarks.probe import Ticks
from benchmarks.run import await_count, started
from tests.services import ElasticMQ

RESULTS = Path(__file__).parent / "results" / "brokers.json"
ROW, TARGET = "sqs/kombu", 1.5


@frozen
class Result:
    """Messages a second, and microseconds of the consumer's CPU for each."""

    rate: float
    cpu: float


def fill(url: str, queue: str, count: int) -> None:
    """Make a queue with so many messages, as a publisher that knows neither PACER nor kombu."""
    sqs: Any = boto3.client(
        "sqs", region_name="us-east-1", endpoint_url=url, aws_access_key_id="x", aws_secret_access_key="x"
    )
    where = sqs.create_queue(QueueName=queue, Attributes={"VisibilityTimeout": "120"})["QueueUrl"]
    body = messages.as_json().decode()

    def ten(_: int) -> None:
        sqs.send_message_batch(
            QueueUrl=where, Entries=[{"Id": str(number), "MessageBody": body} for number in range(10)]
        )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ten, range(count // 10)))


def configuration(url: str, queue: str) -> str:
    """Give the YAML of PACER."""
    broker = f'protocol: sqs, region: us-east-1, endpoint: "{url}"'
    return f"""brokers:
  main: {{{broker}, accessKeyId: x, secretAccessKey: of-the-benchmark, visibilityTimeout: 120s}}
queues:
  - {{name: {queue}, declare: passive}}
consumers:
  - {{type: bench, queues: [{queue}], concurrency: 1, prefetch: 100}}
logging: {{logLevel: WARNING}}
health: {{enabled: false}}
"""


def _pacer(start: Start, one: Contestant) -> list[str]:
    install_plugin(start.folder)
    file = start.folder / "pacer.yaml"
    file.write_text(configuration(one.environment["BENCH_URL"], start.queue))
    return [str(Path(sys.executable).with_name("pacer")), "run", "--config", str(file)]


def _kombu(_: Start, __: Contestant) -> list[str]:
    return [sys.executable, "-m", "benchmarks.contestants.kombu_sqs"]


def measure(server: ElasticMQ, name: str, count: int) -> Result:
    """Run a consumer once."""
    command = {"pacer": _pacer, "kombu": _kombu}[name]
    folder = Path(tempfile.mkdtemp(prefix="pacer-bench-"))
    state = {"BENCH_URL": server.url, "XDG_STATE_HOME": str(folder)}
    one = Contestant(name, command, expects=count, prefetch=100, environment=state)
    start = Start(server.port, f"bench-{uuid.uuid4().hex[:8]}", "", folder)
    try:
        total = one.warm_up + one.expects
        fill(server.url, start.queue, total)
        with started(start, one) as process:
            await_count(folder, total, process)
            time.sleep(0.1)  # the last message's own notes
            (ticks,) = [Ticks(path) for path in folder.glob("*.ticks")]
        first, last = ticks.cpu
        rate = one.expects / (ticks.times[total - 1] - ticks.times[one.warm_up - 1])
        return Result(rate, (last - first) / one.expects * 1e6)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(arguments: list[str]) -> int:
    """Measure, print, and write the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args(arguments)
    found: dict[str, list[Result]] = {"pacer": [], "kombu": []}
    with ElasticMQ() as server:
        for repeat in range(given.repeats):
            for name in sorted(found, reverse=bool(repeat % 2)):
                result = measure(server, name, given.messages)
                found[name].append(result)
                print(f"{name}: {result.rate:,.0f} messages/s, {result.cpu:,.0f} us of CPU each", flush=True)
    pairs = list(zip(found["pacer"], found["kombu"], strict=True))
    ratio = round(statistics.median(ours.rate / theirs.rate for ours, theirs in pairs), 3)
    print(f"{ROW}: {ratio} (at least {TARGET})")
    _write(ratio, found)
    return 0


def _write(ratio: float, found: dict[str, list[Result]]) -> None:
    """Put the row among those of the other brokers."""
    results: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results.setdefault("ratios", {})[ROW] = ratio
    results.setdefault("targets", {})[ROW] = f"at least {TARGET}"
    medians = results.setdefault("medians", {})
    for name, those in found.items():
        medians[f"sqs:{name}"] = round(statistics.median(one.rate for one in those), 1)
        medians[f"cpu:sqs:{name}"] = round(statistics.median(one.cpu for one in those), 1)
    RESULTS.write_text(json.dumps(results, indent=2) + os.linesep)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
