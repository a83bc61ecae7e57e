"""The rows of the table: what is compared with what, and what PACER is to reach."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterable, Mapping

from attrs import field, frozen

from benchmarks.run import Result

CORES = len(os.sched_getaffinity(0))
Repeat = Mapping[str, Result]
"""What every consumer gave in one repeat, by its name."""


def _rate(name: str) -> Callable[[Repeat], float]:
    return lambda repeat: repeat[name].rate


def _cpu(name: str) -> Callable[[Repeat], float]:
    def cpu(repeat: Repeat) -> float:
        value = repeat[name].cpu
        if value is None:
            raise KeyError(name)
        return value

    return cpu


def _best(*names: str) -> Callable[[Repeat], float]:
    return lambda repeat: max(repeat[name].rate for name in names if name in repeat)


def _fixed(value: float) -> Callable[[Repeat], float]:
    return lambda _: value


@frozen
class Row:
    """One ratio: ``ours`` over ``theirs``, both taken from the same repeat."""

    name: str
    target: float
    what: str
    ours: Callable[[Repeat], float]
    theirs: Callable[[Repeat], float]
    needs: tuple[str, ...]
    """Consumers without which there is no ratio."""
    also: tuple[str, ...] = ()
    """Consumers of which one is enough."""
    at_most: bool = False
    cores: int = field(default=1, kw_only=True)

    def ratio(self, repeats: Iterable[Repeat]) -> float | None:
        """Give the median over the repeats of the ratio within each; ``None`` where there is none."""
        ratios = [
            self.ours(repeat) / self.theirs(repeat)
            for repeat in repeats
            if all(name in repeat for name in self.needs)
            and (not self.also or any(name in repeat for name in self.also))
        ]
        return statistics.median(ratios) if ratios else None

    def reached(self, value: float) -> bool:
        """Tell whether the target is reached."""
        return value <= self.target if self.at_most else value >= self.target


def _versus(name: str, target: float, ours: str, theirs: str, what: str, cores: int = 1) -> Row:
    return Row(name, target, what, _rate(ours), _rate(theirs), (ours, theirs), cores=cores)


PEERS = ("dramatiq-wait5ms", "faststream-wait5ms", "celery-wait5ms")
WAIT_CEILING = 32 / 0.005

ROWS = (
    _versus("noop/kombu", 1.0, "pacer", "kombu", "a task that does nothing, `concurrency: 1`, full path"),
    _versus("noop-8-threads/kombu", 0.6, "pacer-8-threads", "kombu", "the same with 8 threads"),
    _versus("noop-xml/kombu", 0.65, "pacer-xml", "kombu-xml", "the same with 2 KiB of XML"),
    Row(
        "cpu/kombu", 1.0, "client CPU per message of the first row",
        _cpu("pacer"), _cpu("kombu"), ("pacer", "kombu"), at_most=True,
    ),
    _versus("noop/faststream", 2.5, "pacer", "faststream", "FastStream, asynchronous handler, decoded body"),
    _versus("noop/dramatiq", 3.5, "pacer", "dramatiq", "dramatiq, 1 process with 8 threads"),
    _versus("noop/celery", 5.5, "pacer", "celery", "celery, prefork with 1 child, prefetch multiplier 4"),
    Row(
        "wait5ms/ceiling", 0.9, "a task that waits 5 ms, 32 threads, against 32 / 5 ms",
        _rate("pacer-wait5ms"), _fixed(WAIT_CEILING), ("pacer-wait5ms",),
    ),
    Row(
        "wait5ms/best-peer", 1.3, "the same against the fastest peer with a concurrency of 32",
        _rate("pacer-wait5ms"), _best(*PEERS), ("pacer-wait5ms",), PEERS,
    ),
    Row(
        "keys-even/ceiling", 0.75, "the same with 100 keys",
        _rate("pacer-keys-even"), _fixed(WAIT_CEILING), ("pacer-keys-even",),
    ),
    Row(
        "keys-hot/serial-ceiling", 0.85, "one key has half of all messages, against 2 / 5 ms",
        _rate("pacer-keys-hot"), _fixed(400.0), ("pacer-keys-hot",),
    ),
    _versus(
        "forward/unconfirmed", 1.3, "pacer-forward", "naive-forward",
        "`type: forward` with confirms, against consume-publish-ack without",
    ),
    _versus(
        "processes2", 1.8, "pacer-processes2", "pacer-processes1",
        "`workers: 2` against 1: waiting 5 ms, 8 threads each", cores=4,
    ),
    _versus(
        "processes4", 3.0, "pacer-processes4", "pacer-processes1", "`workers: 4` against 1", cores=4
    ),
)  # fmt: skip

MEMORY = "memory"
MEMORY_ROWS = {
    "memory/100000-to-10000": (1.1, "resident size after message 100 000 against after message 10 000"),
    "memory/1-MiB-to-limit": (
        1.0,
        "what a message of 1 MiB costs at its peak, against 6 times its size and 20 MiB",
    ),
}
NAMES = (*(row.name for row in ROWS), MEMORY)
