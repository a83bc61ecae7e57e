"""The numbers of a worker in a file that it shares with its supervisor, and that outlives it.

A worker adds to numbers in mapped memory; the supervisor reads the file when somebody asks. Neither waits for
the other, nothing is lost when a worker is killed, and its successor counts on. The file begins with the
names of what it counts, so that whoever reads it needs no configuration.
"""

from __future__ import annotations

import json
import mmap
import threading
from bisect import bisect_left
from collections.abc import Mapping
from pathlib import Path

from attrs import asdict

from pacer_core.model.escapes import escaped
from pacer_core.model.messages import Delivery, Outcome
from pacer_core.model.private_files import make_folder, private
from pacer_core.observe.metrics import BUCKETS, Shape, Snapshot, State

_HEAD = 16  # bytes: the length of the names that follow, in decimal
_NUMBER = 8
_TEXT = 256


class Board:
    """The numbers of one worker; safe to use from several threads.

    Parameters
    ----------
    shape
        What is counted.
    path
        The file, in which another process may look with `look`. One that is there already is continued where
        it has the same shape, and replaced otherwise. Without a path the numbers stay in this process.
    """

    def __init__(self, shape: Shape, path: Path | None = None) -> None:
        self._shape = shape
        head, size = _sized(shape)
        self._names = list(shape.series())
        numbers = _NUMBER * len(self._names)
        memory = bytearray(head.ljust(size, b"\0")) if path is None else _mapped(path, head, size)
        view = memoryview(memory)
        self._memory = view
        self._numbers = view[len(head) : len(head) + numbers].cast("d")
        *hottest, self._trouble, self._aside = (
            view[start : start + _TEXT] for start in range(len(head) + numbers, size, _TEXT)
        )
        self._texts = dict(zip(shape.spaces, hottest, strict=True))
        self._at = {name: number for number, name in enumerate(self._names)}
        self._outcomes = {
            (consumer, outcome): self._at["messages", consumer, outcome.value]
            for consumer in shape.tasks
            for outcome in Outcome
        }
        self._tasks = {
            consumer: {task: self._at["task", consumer, task, "0"] for task in tasks}
            for consumer, tasks in shape.tasks.items()
        }
        self._confirm = self._at["confirm", "0"]
        self._lock = threading.Lock()
        self.gauges({}, {}, {}, {})
        self.aside(0, "")
        self.state(State.STARTING)

    def settled(self, delivery: Delivery) -> None:
        """Count a message that has been settled, with the time that each of its tasks took."""
        numbers, tasks = self._numbers, self._tasks[delivery.consumer]
        with self._lock:
            numbers[self._outcomes[delivery.consumer, delivery.outcome]] += 1
            for task, seconds in delivery.timings.items():
                first = tasks.get(task)
                if first is not None:
                    numbers[first + bisect_left(BUCKETS, seconds)] += 1
                    numbers[first + len(BUCKETS) + 1] += seconds
            for what, number in delivery.counts.items():
                at = self._at.get(("counted", delivery.consumer, what))
                if at is not None:
                    numbers[at] += number
            for failure in delivery.failures:
                at = self._at.get(("failures", delivery.consumer, failure.task, failure.kind))
                if at is not None:
                    numbers[at] += 1

    def confirmed(self, seconds: float) -> None:
        """Count the time that the broker took to confirm what was published together."""
        with self._lock:
            self._numbers[self._confirm + bisect_left(BUCKETS, seconds)] += 1
            self._numbers[self._confirm + len(BUCKETS) + 1] += seconds

    def lost(self, plugin: str, messages: int) -> None:
        """Count messages that a plugin was not told of, or could not keep."""
        with self._lock:
            self._numbers[self._at["lost", plugin]] += messages

    def state_dropped(self, queue: str) -> None:
        """Count a message that claims to be a copy of PACER's, and is handled as new."""
        with self._lock:
            self._numbers[self._at["state_dropped", queue]] += 1

    def published(self, service: str, messages: int) -> None:
        """Count messages of a service that the broker has confirmed."""
        with self._lock:
            self._numbers[self._at["published", service]] += messages

    def served(self, service: str, what: str, number: int) -> None:
        """Count what a service counts itself.

        Raises
        ------
        KeyError
            Where its type does not say that it counts that.
        """
        with self._lock:
            self._numbers[self._at["served", service, what]] += number

    def state(self, state: State, trouble: str = "") -> None:
        """Say what the worker is doing, and why it does nothing where that is so."""
        self._trouble[:] = _text(trouble)
        self._numbers[self._at["state",]] = state

    def aside(self, messages: int, why: str) -> None:
        """Say how many messages have no end that the broker takes, and what it says of one of them."""
        self._aside[:] = _text(why)
        self._numbers[self._at["aside",]] = messages

    def gauges(
        self,
        held: Mapping[str, int],
        waiting: Mapping[str, int],
        open_: Mapping[str, bool],
        found_nothing: Mapping[str, bool],
    ) -> None:
        """Say how things stand now.

        Parameters
        ----------
        held
            By queue, how many of its messages the worker has in hand.
        waiting
            By ``SPACE:KEY``, how many of these wait for an earlier one of their key.
        open_, found_nothing
            By integration, whether its breaker is open, and whether none of its first look-ups has found
            anything.
        """
        self._numbers[self._at["in_hand",]] = sum(held.values())
        for queue in self._shape.queues:
            self._numbers[self._at["held", queue]] = held.get(queue, 0)
        for name in self._shape.integrations:
            self._numbers[self._at["open", name]] = open_.get(name, False)
            self._numbers[self._at["found_nothing", name]] = found_nothing.get(name, False)
        for space, text in self._texts.items():
            prefix = f"{space}:"
            keys = ((count, key) for key, count in waiting.items() if key.startswith(prefix))
            most, key = max(keys, default=(0, prefix))
            shown = key.removeprefix(prefix) if most else ""
            text[:] = _text(shown)
            self._numbers[self._at["waiting", space]] = most

    def look(self) -> Snapshot:
        """Give the numbers as they are."""
        return _read(bytes(self._memory))


def look(path: Path) -> Snapshot | None:
    """Give the numbers in a worker's file, or ``None`` where it has not begun to count."""
    try:
        return _read(path.read_bytes())
    except FileNotFoundError:
        return None


def _text(text: str) -> bytes:
    """Give a text for `/status` and `/metrics`, as far as there is room; it may be of a message."""
    return escaped(text).encode()[:_TEXT].ljust(_TEXT, b"\0")


def _head(shape: Shape) -> bytes:
    names = json.dumps(asdict(shape)).encode()
    size = -(-(_HEAD + len(names)) // _NUMBER) * _NUMBER  # numbers stand where the processor likes them
    return f"{len(names):<{_HEAD}}".encode() + names.ljust(size - _HEAD)


def provide(shape: Shape, path: Path) -> None:
    """Make the file of a board, with room on the disk for all of it; one with the same shape stays.

    Raises
    ------
    OSError
        Where there is no room.
    """
    _provide(path, *_sized(shape))


def _sized(shape: Shape) -> tuple[bytes, int]:
    head = _head(shape)
    texts = len(shape.spaces) + 2  # the hottest key of each, and why it does nothing, or sets something aside
    return head, len(head) + _NUMBER * sum(1 for _ in shape.series()) + _TEXT * texts


def _provide(path: Path, head: bytes, size: int) -> None:
    make_folder(path.parent)
    if not path.exists() or not path.read_bytes().startswith(head) or path.stat().st_size != size:
        new = path.with_name(f"{path.name}.new")
        with open(new, "wb", opener=private) as file:
            file.write(head.ljust(size, b"\0"))
        new.replace(path)


def _mapped(path: Path, head: bytes, size: int) -> mmap.mmap:
    _provide(path, head, size)
    with open(path, "r+b", opener=private) as file:
        return mmap.mmap(file.fileno(), size)


def _read(data: bytes) -> Snapshot:
    length = int(data[:_HEAD])
    names = json.loads(data[_HEAD : _HEAD + length])
    shape = Shape(
        {consumer: tuple(tasks) for consumer, tasks in names["tasks"].items()},
        tuple(names["integrations"]),
        tuple(names["spaces"]),
        tuple(names["listeners"]),
        {consumer: tuple(counts) for consumer, counts in names["counts"].items()},
        tuple(names.get("queues", ())),
        {service: tuple(counts) for service, counts in names.get("services", {}).items()},
    )
    series = list(shape.series())
    start = len(_head(shape))
    end = start + _NUMBER * len(series)
    numbers = memoryview(data)[start:end].cast("d")
    *hottest, trouble, aside = (
        data[at : at + _TEXT].rstrip(b"\0").decode(errors="replace") for at in range(end, len(data), _TEXT)
    )
    return Snapshot(
        shape,
        dict(zip(series, numbers, strict=True)),
        dict(zip(shape.spaces, hottest, strict=True)),
        trouble,
        aside,
    )
