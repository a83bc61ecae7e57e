"""Records in the database: each once, whatever comes twice, and in whatever order."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import psycopg
import pytest
from attrs import evolve
from django.db import DataError, IntegrityError, InternalError, OperationalError, ProgrammingError

from pacer_core import Reject
from pacer_dashboard import testing
from pacer_dashboard.place import Place
from pacer_dashboard.records import Record
from pacer_dashboard.store import Stored, each, rollups, store
from pacer_dashboard.store.away import is_away
from pacer_dashboard.store.drafts import Draft
from pacer_dashboard.store.fold import fold, fold_many
from pacer_dashboard.store.writer import commit


def snapshot() -> dict[str, object]:
    """Give all that is stored, but for what the order of storing may change."""
    from pacer_dashboard import models

    left_out = {"revision", "id", "group", "group_id", "arrived"}
    found: dict[str, object] = {}
    for model in (models.Message, models.Identifier, models.Payload, models.Rollup, models.ErrorGroup):
        rows = model._default_manager.values()
        found[model.__name__] = sorted(
            str({key: value for key, value in sorted(row.items()) if key not in left_out})
            for row in rows
            if not (model is models.Rollup and _is_nothing(row))
        )
    found["sights"] = models.Sight.objects.count()
    found["failures"] = sum(models.ErrorDay.objects.values_list("count", flat=True))
    return found


def _is_nothing(row: Mapping[str, Any]) -> bool:
    return not any(row[name] for name in ("messages", "acked", "retried", "dead", "processing", "queueing"))


def test_records_in_any_order_and_twice_are_stored_as_once_in_order(each_empty: Place) -> None:
    from django.core.management import call_command

    records = [*testing.lives(60)]
    store(records)
    once = snapshot()
    call_command("flush", interactive=False, verbosity=0)
    from pacer_dashboard.models import Clock

    Clock.objects.create(id=1, revision=0)
    twice = records * 2
    random.Random(3).shuffle(twice)
    while twice:
        batch, twice = twice[:7], twice[7:]
        store(batch)
    later = snapshot()
    assert later["sights"] == once["sights"] == len(records)
    assert later["failures"] == once["failures"]
    assert later["ErrorGroup"] == once["ErrorGroup"]
    assert later["Rollup"] == once["Rollup"]
    assert later["Message"] == once["Message"]
    assert later["Identifier"] == once["Identifier"]
    assert later["Payload"] == once["Payload"]


@pytest.mark.parametrize(
    ("error", "cause", "away"),
    [
        (OperationalError, psycopg.errors.AdminShutdown, True),
        (OperationalError, psycopg.errors.ProgramLimitExceeded, False),
        (ProgrammingError, psycopg.errors.UndefinedTable, True),
        (InternalError, psycopg.errors.ReadOnlySqlTransaction, True),
        (DataError, psycopg.errors.StringDataRightTruncation, False),
        (IntegrityError, psycopg.errors.UniqueViolation, False),
        (OperationalError, sqlite3.OperationalError, True),
        (ValueError, ValueError, False),
    ],
)
def test_a_database_is_away_where_it_may_take_the_same_record_later(
    error: type[Exception], cause: type[Exception], away: bool
) -> None:
    raised = error()
    raised.__cause__ = cause()
    assert is_away(raised) is away


def test_a_record_that_is_the_only_one_is_folded_as_any_number_are() -> None:
    records = [*testing.lives(50)]
    assert {one.failed for one in records} == {True, False}
    assert [fold([one]) for one in records] == [fold_many([one]) for one in records]


def test_a_correlation_id_is_any_text(each_empty: Place) -> None:
    odd = [
        "NULL",
        "{a,b}",
        'a"b',
        "a'b",
        "a\\b",
        " a ",
        "\N{SNOWMAN}",
        "%s",
        "%(x)s",
        "\\N",
        "\\.",
        "a\tb",
        "a\nb",
    ]
    one = next(iter(testing.lives(1)))
    records = [evolve(one, id=f"r{number}", correlation_id=id_) for number, id_ in enumerate(odd)]
    assert store(records).new == len(odd)
    assert store(records).duplicates == len(odd)
    assert store([evolve(each, id=f"{each.id}-again", attempt=2) for each in records]).new == len(odd)


def counted() -> dict[str, int]:
    """Give what the sums of months come to, over all."""
    from django.db.models import Sum

    from pacer_dashboard.models import Rollup

    names = ("messages", "acked", "retried", "dead")
    sums = Rollup.objects.filter(step=Rollup.Step.MONTH, task="").aggregate(*map(Sum, names))
    return {name: sums[f"{name}__sum"] or 0 for name in names}


def test_what_a_thread_remembers_of_sums_is_not_believed_once_somebody_else_has_written(
    each_empty: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [*testing.lives(80)]
    parts = [records[number::8] for number in range(8)]

    def elsewhere(part: Sequence[Record]) -> None:
        from django.db import connection

        store(part)
        connection.close()

    write = rollups.Rollups.write

    def write_and_fail(self: rollups.Rollups, sums: rollups.Sums) -> None:
        write(self, sums)
        raise DataError

    store(parts[0])
    store(parts[1])
    with ThreadPoolExecutor(1) as other:
        other.submit(elsewhere, parts[2]).result()
        store(parts[3])
        with monkeypatch.context() as patch:
            patch.setattr(rollups.Rollups, "write", write_and_fail)
            with pytest.raises(DataError):
                store(parts[4])
        other.submit(elsewhere, parts[5]).result()
    for part in (parts[4], parts[6], parts[7]):
        store(part)
    outcomes = Counter(one.outcome for one in records)
    assert counted() == {"messages": len({one.correlation_id for one in records}), **outcomes}


def _give(record: Record | None) -> Record:
    if record is None:
        raise Reject("it cannot be read")
    return record


def test_a_record_that_is_refused_or_cannot_be_read_keeps_no_other_one_back(
    empty: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, bad, *others = testing.lives(20)

    def refuse(drafts: Sequence[Draft]) -> Stored:
        if any(one.record == bad for one in drafts):
            raise DataError
        return commit(drafts)

    monkeypatch.setattr(each, "commit", refuse)
    ends = each.store_each(partial(_give, one) for one in (first, bad, None, *others))
    assert isinstance(ends[1], DataError)
    assert isinstance(ends[2], Reject)
    assert [ends[0], *ends[3:]] == [True] * (1 + len(others))
    assert each.store_each([lambda: first, lambda: others[0]]) == [False, False]


def test_a_database_that_is_away_says_so_of_all_of_them_at_once(
    empty: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def fail(drafts: Sequence[Draft]) -> Stored:
        tries.append(len(drafts))
        raise OperationalError

    monkeypatch.setattr(each, "commit", fail)
    records = [*testing.lives(20)]
    with pytest.raises(OperationalError):
        each.store_each(partial(_give, one) for one in records)
    assert tries == [len(records)]
