"""Partitions on RabbitMQ: how much more they do, what intake and keys cost, and how they are taken over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from benchmarks.brokers.sheet import Row, Suite
from benchmarks.contest import CONTESTANTS
from benchmarks.run import Bench, NotMeasuredError
from benchmarks.take_over import TIMES, take_over
from tests.services import RabbitMQ

RATES = {
    "partitions1": "pacer-partitions1",
    "partitions4": "pacer-partitions4",
    "intake": "pacer-intake",
    "forward": "pacer-forward",
}
CPU = {"cpu:keys-even": "pacer-keys-even", "cpu:inline": "pacer"}


@contextmanager
def opened(factor: float) -> Iterator[Mapping[str, Callable[[], float]]]:
    """Start a node, and give what is measured on it."""
    with RabbitMQ() as node:
        bench = Bench(node.port, node.new_vhost())

        def rate(name: str) -> float:
            return bench.measure(CONTESTANTS[name].scaled(factor)).rate

        def cpu(name: str) -> float:
            found = bench.measure(CONTESTANTS[name].scaled(factor)).cpu
            if found is None:
                raise NotMeasuredError(f"{name} had more than one process")
            return found

        yield {
            **{one: partial(rate, name) for one, name in RATES.items()},
            **{one: partial(cpu, name) for one, name in CPU.items()},
            "seconds:take-over": partial(take_over, node, max(3, int(TIMES * factor))),
        }


SUITE = Suite(
    "partitions",
    opened,
    (
        Row("partitions4/1", 3.5, "partitions4", "partitions1"),
        Row("partitions/intake", 0.5, "intake", "forward"),
        Row("cpu-keys/inline", 1.8, "cpu:keys-even", "cpu:inline", at_most=True),
        Row("take-over", 5.0, "seconds:take-over", at_most=True),
    ),
)
