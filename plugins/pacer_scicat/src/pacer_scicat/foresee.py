"""What storing a record would change in SciCat; it reads, and writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from pacer_core import Planned
from pacer_scicat.client import Scicat
from pacer_scicat.writing import Facts, Record, found, missing


def counted(number: int, what: str) -> str:
    """Give a number of things in words."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def foresee_record(record: Record, scicat: Scicat, facts: Facts, patience: timedelta) -> Iterator[Planned]:
    """Say what `store` would do with a record.

    Raises
    ------
    Retry, Reject
        As `store`.
    """
    pid = facts.pid or found(record, scicat) or record.fields.get("pid")
    there = None if pid is None else scicat.held(str(pid))
    if pid is None or there is None or there.state == "absent":
        called = "of a pid that SciCat gives" if pid is None else str(pid)
        metadata = len(record.fields.get("scientificMetadata") or ())
        detail = f"{counted(len(record.files), 'file')}, {counted(metadata, 'piece')} of scientific metadata"
        yield Planned(f"dataset {called}", "new", detail)
        return
    facts.remember(str(pid), created=False)
    files = missing(record, str(pid), there, scicat, facts, patience)
    detail = f"{len(files)} of {counted(len(record.files), 'file')} to be added"
    yield Planned(f"dataset {pid}", "changed" if files else "there", detail)
