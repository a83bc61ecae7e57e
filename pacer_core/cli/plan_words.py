"""What `pacer plan` says of messages: of each, and of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from attrs import asdict, define, field

from pacer_core.model.messages import Outcome, TaskFailure
from pacer_core.model.secrets import redact
from pacer_core.model.wording import counted
from pacer_core.work.planning import Foreseen, TaskForeseen

_HAVE = {True: "has", False: "have"}
_KINDS = {"reject": "the message would be dead", "not-yet": "the message would wait"}


@define
class Sums:
    """How many messages would become what, and what PACER would write for them."""

    same: int = 0
    """Would be done, and nothing is to be written: the ends are as PACER would leave them."""
    kept: int = 0
    """Of the same, those that have other values than the ends, which stay."""
    differ: int = 0
    wait: int = 0
    dead: int = 0
    writes: Counter[tuple[str, str]] = field(factory=Counter)
    """By task and change, how many things."""
    failures: Counter[tuple[str, str]] = field(factory=Counter)
    """By task, or `parse`, and kind, how many messages."""
    untold: Counter[str] = field(factory=Counter)
    """By task, how many messages it cannot tell of beforehand."""

    def add(self, seen: Foreseen) -> None:
        """Count a message."""
        self.dead += seen.outcome is Outcome.DEAD
        self.wait += seen.outcome is Outcome.RETRIED
        if seen.outcome is Outcome.ACKED:
            self.differ += bool(seen.writes)
            self.same += not seen.writes
            self.kept += not seen.writes and seen.keeps
        self.writes += seen.writes
        self.untold.update(seen.untold)
        if seen.failure is not None:
            self.failures["parse", seen.failure.kind] += 1
        self.failures.update((one.task, one.failure.kind) for one in seen.tasks if one.failure is not None)

    def lines(self) -> Iterator[str]:
        """Say it to people."""
        total = self.same + self.differ + self.wait + self.dead
        yield f"{counted(total, 'message')}:"
        yield f"  {self.same:,} would change nothing: all is there as PACER would leave it"
        if self.kept:
            yield f"    {self.kept:,} of these {_HAVE[self.kept == 1]} other values, which the ends keep"
        yield f"  {self.differ:,} would be done, and change something"
        for (task, change), number in sorted(self.writes.items()):
            yield f"    {task}: {number:,} {change}"
        yield f"  {self.wait:,} would wait, {self.dead:,} would be dead"
        for (task, kind), number in sorted(self.failures.items()):
            yield f"    {task}: {number:,} {kind}"
        for task, number in sorted(self.untold.items()):
            yield f"  {task} cannot tell beforehand what it does: {counted(number, 'message')}"

    def data(self) -> dict[str, object]:
        """Say it to programs."""
        return {
            "same": self.same,
            "kept": self.kept,
            "differ": self.differ,
            "wait": self.wait,
            "dead": self.dead,
            "writes": [{"task": task, "change": one, "things": n} for (task, one), n in self.writes.items()],
            "failures": [
                {"task": task, "kind": kind, "messages": n} for (task, kind), n in self.failures.items()
            ],
            "untold": dict(self.untold),
        }


def lines(name: str, seen: Foreseen) -> Iterator[str]:
    """Say what would become of a message."""
    yield f"{name}: {_OUTCOMES[seen.outcome]} ({seen.consumer})"
    if seen.failure is not None:
        yield from _why(seen.failure, "  ")
    for one in seen.tasks:
        yield from _task(one)


_OUTCOMES = {
    Outcome.ACKED: "would be done",
    Outcome.RETRIED: "would wait",
    Outcome.DEAD: "would be dead",
}


def _task(one: TaskForeseen) -> Iterator[str]:
    if one.failure is not None:
        yield f"  {one.task}: {_KINDS.get(one.failure.kind, 'the message would be tried again')}"
        yield from _why(one.failure, "    ")
    elif one.waits_for:
        yield f"  {one.task}: would not run before {', '.join(one.waits_for)}"
    elif one.says is None:
        yield f"  {one.task}: would run; it cannot tell beforehand what it does"
    elif not one.says:
        yield f"  {one.task}: nothing to do"
    else:
        yield f"  {one.task}:"
        for planned in one.says:
            detail = f", {planned.detail}" if planned.detail else ""
            yield f"    {planned.what}: {planned.change.replace('-', ' ')}{detail}"


def _why(failure: TaskFailure, indent: str) -> Iterator[str]:
    yield f"{indent}{failure.reason}"
    for bad in failure.fields:
        yield f"{indent}  {bad}"


def plain(seen: Foreseen) -> dict[str, object]:
    """Give what would become of a message as a program reads it."""

    def failed(failure: TaskFailure | None) -> dict[str, object] | None:
        if failure is None:
            return None
        fields = [{"path": one.path, "message": one.message} for one in failure.fields]
        return {"kind": failure.kind, "reason": redact(failure.reason), "fields": fields}

    return {
        "consumer": seen.consumer,
        "outcome": seen.outcome.value,
        "description": seen.description,
        "failure": failed(seen.failure),
        "tasks": [
            {
                "task": one.task,
                "says": None if one.says is None else [asdict(planned) for planned in one.says],
                "failure": failed(one.failure),
                "waits_for": list(one.waits_for),
            }
            for one in seen.tasks
        ],
    }
