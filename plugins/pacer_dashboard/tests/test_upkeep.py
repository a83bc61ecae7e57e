"""Months on PostgreSQL: aligned, made ahead, filled from the rest, asked alone, dropped when it is time."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from pacer_dashboard import testing
from pacer_dashboard.place import Place
from pacer_dashboard.query import EVERYTHING, Filter, Rule, Viewer, counting, listing


def parts(table: str = "pacer_dashboard_message") -> dict[str, int]:
    """Give a table's partitions with how many rows each has."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tableoid::regclass::text, count(*) FROM pacer_dashboard_message GROUP BY 1"
            if table == "pacer_dashboard_message"
            else f"SELECT tableoid::regclass::text, count(*) FROM {table} GROUP BY 1"
        )
        return dict(cursor.fetchall())


def months_of_calm_messages() -> list[str]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
            "WHERE inhparent = 'pacer_dashboard_message_calm'::regclass ORDER BY relname"
        )
        return [name.removeprefix("pacer_dashboard_message_calm_") for (name,) in cursor.fetchall()]


def test_months_are_aligned_in_whichever_month_they_are_made(each_empty: Place) -> None:
    """W1: upstream's begin in the month of the day, and overlap with those that are there."""
    from django.db import connection

    from pacer_dashboard.upkeep.months import ensure

    if connection.vendor != "postgresql":
        assert ensure(3) == (0, 0)
        return
    for day in (
        date(2026, 1, 31),
        date(2026, 2, 1),
        date(2026, 2, 28),
        date(2026, 7, 15),
        date(2025, 12, 31),
    ):
        ensure(2, today=day)
        assert ensure(2, today=day) == (0, 0)
    assert months_of_calm_messages() == [
        "202512", "202601", "202602", "202603", "202604", "202607", "202608", "202609", "rest",
    ]  # fmt: skip


def test_rows_of_a_month_that_is_not_there_are_kept_and_move_when_it_is_made(each_empty: Place) -> None:
    """W2: upstream's stay in the default partition, and the month can never be made."""
    from django.db import connection

    from pacer_dashboard.upkeep.months import ensure

    records = testing.fill(120, start=datetime(2026, 8, 31, 18, tzinfo=UTC))
    before = [*listing.walk(EVERYTHING, Filter())]
    if connection.vendor != "postgresql":
        return
    assert set(parts()) == {"pacer_dashboard_message_calm_rest", "pacer_dashboard_message_troubled_rest"}
    made, moved = ensure(1, today=date(2026, 11, 3))
    assert made == 4 * 2 * 4
    assert moved > len(records)
    assert {name[-6:] for name in parts()} == {"202608", "202609"}
    assert [*listing.walk(EVERYTHING, Filter())] == before
    testing.fill(120, start=datetime(2026, 8, 31, 18, tzinfo=UTC), people=False)  # all of it comes again
    assert [*listing.walk(EVERYTHING, Filter())] == before


def test_a_filter_for_days_asks_the_month_of_these_days_alone(each_empty: Place) -> None:
    """W3: upstream filters by another time than that by which its table is partitioned."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from pacer_dashboard.upkeep.months import ensure

    if connection.vendor != "postgresql":
        return
    ensure(6, today=date(2026, 5, 1))
    testing.fill(60, start=datetime(2026, 9, 20, tzinfo=UTC))
    filters = (
        Filter(since=date(2026, 9, 1), until=date(2026, 9, 30)),
        Filter(since=date(2026, 9, 1), until=date(2026, 9, 30), instruments=("BL01",), types=("user-sync",)),
        Filter(since=date(2026, 9, 1), until=date(2026, 9, 30), text="hg-101"),
    )
    for filter_ in filters:
        with CaptureQueriesContext(connection) as queries:
            listing.page(EVERYTHING, filter_)
        asked = [one["sql"] for one in queries if 'FROM "pacer_dashboard_message"' in one["sql"]]
        assert asked
        with connection.cursor() as cursor:
            for sql in asked:
                cursor.execute("EXPLAIN " + sql.replace("%", "%%"))
                plan = "\n".join(line for (line,) in cursor.fetchall())
                assert "_message_calm_202609" in plan
                other = ("202605", "202606", "202607", "202608", "202610", "202611", "rest")
                assert not any(f"pacer_dashboard_message_calm_{one}" in plan for one in other), plan


def test_searches_identifiers_and_roles_are_served_by_indexes(each_stored: Place) -> None:
    """W4: of upstream's index neither the search nor the filter of its roles can make use."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    if connection.vendor != "postgresql":
        return
    mine = Viewer("staff", (Rule(frozenset({"user-sync"}), {"instrument": frozenset({"BL01"})}),))
    asked = [
        (EVERYTHING, Filter(text="hg-101")),
        (EVERYTHING, Filter(identifiers=(("proposal", "HG-101"),))),
        (EVERYTHING, Filter(instruments=("BL01",))),
        (EVERYTHING, Filter(states=("dead",), acknowledged=False)),
        (mine, Filter()),
    ]
    for viewer, filter_ in asked:
        with CaptureQueriesContext(connection) as queries:
            listing.page(viewer, filter_)
        found = [one["sql"] for one in queries if 'FROM "pacer_dashboard_' in one["sql"]]
        assert found
        with connection.cursor() as cursor:
            # Tables of tests are small, and are read whole where that can be chosen: so it cannot.
            cursor.execute("SET enable_seqscan = off")
            for sql in found:
                cursor.execute("EXPLAIN " + sql.replace("%", "%%"))
                plan = "\n".join(line for (line,) in cursor.fetchall())
                assert "Seq Scan" not in plan, (filter_, sql, plan)


def test_the_last_day_that_is_asked_for_is_included(stored: Place) -> None:
    """W7: upstream ends at its first moment."""
    last = max(row.arrived for row in listing.walk(EVERYTHING, Filter()))
    assert last.hour > 0
    found = listing.page(EVERYTHING, Filter(since=last.date(), until=last.date()))
    assert found.rows[0].arrived == last


def test_successes_go_first_then_payloads_of_errors_and_then_these(each_empty: Place) -> None:
    from pacer_dashboard import models
    from pacer_dashboard.upkeep.months import ensure, forget

    now = datetime(2026, 11, 15, tzinfo=UTC)
    for month in (1, 8, 10):
        start = datetime(2026, month, 3, tzinfo=UTC)
        testing.fill(40, seed=month, start=start)
        ensure(1, today=start.date())
    models_ = (models.Message, models.Sight, models.Identifier, models.Payload, models.Life)

    def months(model: type, *, troubled: bool) -> set[int]:
        times = model.objects.filter(troubled=troubled).values_list("arrived", flat=True)  # type: ignore[attr-defined]
        return {one.month for one in times}

    keep = {"successes": timedelta(days=60), "errors": timedelta(days=200), "payloads": timedelta(days=30)}
    forget(**keep, now=now)
    for model in models_:
        payload = model is models.Payload
        assert months(model, troubled=False) == {10}
        assert months(model, troubled=True) == ({10} if payload else {8, 10})
    assert forget(**keep, now=now) == (0, 0)
    # What is gone is not found any more, neither by its text nor as a message.
    assert counting.estimate(EVERYTHING, Filter(until=date(2026, 2, 1))).number == 0
    assert counting.estimate(EVERYTHING, Filter(text="hg-1", until=date(2026, 7, 30))).number == 0


def test_hours_that_are_forgotten_are_shown_as_days(each_stored: Place) -> None:
    from pacer_dashboard import models
    from pacer_dashboard.query import statistics
    from pacer_dashboard.query.statistics import Step
    from pacer_dashboard.upkeep import hours

    def first(step: Step) -> datetime:
        return models.Rollup.objects.filter(step=step.value).order_by("bucket")[0].bucket

    day = statistics.bucket_of(first(Step.HOUR), Step.DAY)
    old, kept = ((day + timedelta(days=one), day + timedelta(days=one + 1)) for one in (0, 1))
    ask = EVERYTHING, Filter()
    before = [statistics.table(*ask, *span) for span in (old, kept)]
    rest = models.Rollup.objects.exclude(step="h").count()
    assert before[0].lines
    assert before[1].lines

    assert hours.forget(timedelta(days=10), now=day + timedelta(days=11, hours=5)) > 0

    assert models.Rollup.objects.exclude(step="h").count() == rest
    assert first(Step.HOUR) >= kept[0]
    assert [statistics.table(*ask, *span) for span in (old, kept)] == before
    assert statistics.series(*ask, *old, step=Step.HOUR).step is Step.DAY
    assert statistics.series(*ask, *kept, step=Step.HOUR).step is Step.HOUR
    models.Rollup.objects.filter(step="h").delete()
    assert statistics.table(*ask, *old) == before[0]


def test_a_connection_that_breaks_under_one_job_keeps_no_other_from_being_done(
    each_empty: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import connection

    from pacer_dashboard.upkeep import service

    done: list[str] = []
    stopping = Event()

    def breaks(_: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    def works(_: Any) -> None:
        stopping.set()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        done.append("works")

    monkeypatch.setattr(service, "jobs", lambda: {"breaks": breaks, "works": works})
    monkeypatch.setattr(service, "watches", dict)
    options = SimpleNamespace(place=each_empty, every=timedelta(hours=1))
    log = logging.getLogger("pacer.tests")
    said: list[str] = []
    service.run(
        SimpleNamespace(options=options, stopping=stopping, log=log, trouble=said.append, ready=list)  # type: ignore[arg-type] # what it uses
    )
    assert done == ["works"]
    assert said[0].startswith("breaks: ")
    assert "works: " not in said[0]
