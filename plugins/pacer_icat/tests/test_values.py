"""Texts, times and queries as ICAT takes them; no server needed."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer_icat.collation import fold
from pacer_icat.jpql import bind
from pacer_icat.times import period, storable, stored, zone_of

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("plain", "Plain"),
        ("plain", "plain  "),
        ("é", "E"),
        ("XÅS", "xas"),
        ("ß", "s"),
        ("😀", "😁"),
        ("ñ", "n"),
    ],
)
def test_what_icat_takes_for_the_same_name_folds_alike(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("plain", " plain"), ("ß", "ss"), ("á", "a\u0301"), ("a", "b"), ("a b", "a  b"), ("日本", "日木")],
)
def test_what_icat_tells_apart_folds_differently(one: str, other: str) -> None:
    assert fold(one) != fold(other)


def test_a_time_is_cut_to_seconds_and_not_rounded() -> None:
    assert stored(datetime(2025, 7, 15, 15, 53, 33, 999999, UTC), None) == datetime(
        2025, 7, 15, 15, 53, 33, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("naive", "utc"),
    [
        ("2025-06-01 12:00", "2025-06-01 10:00Z"),
        ("2025-01-01 12:00", "2025-01-01 11:00Z"),
        ("2025-03-30 02:30", "2025-03-30 01:30Z"),
        ("2025-10-26 02:30", "2025-10-26 01:30Z"),
        ("2025-10-26 02:30+02:00", "2025-10-26 01:30Z"),
        ("2025-10-26 02:30+01:00", "2025-10-26 01:30Z"),
        ("2025-10-26 01:30+02:00", "2025-10-25 23:30Z"),
    ],
)
def test_a_time_without_offset_is_read_as_icat_reads_it(naive: str, utc: str) -> None:
    """The pairs are answers of a real ICAT in Europe/Berlin, with the hours that are missing and doubled."""
    assert stored(datetime.fromisoformat(naive), BERLIN) == datetime.fromisoformat(utc)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        # An hour that the clock shows twice: ICAT keeps the second of them only.
        ("2025-10-26 02:10", "2025-10-26 02:30", ("01:10Z", "01:30Z")),
        ("2025-10-26 02:30", "2025-10-26 02:10", ("01:10Z", "01:10Z")),
        ("2025-10-26 02:30+02:00", "2025-10-26 02:10+01:00", ("01:10Z", "01:10Z")),
        ("2025-10-26 02:30", "2025-10-26 02:30", ("01:30Z", "01:30Z")),
        ("2025-10-26 02:30", "2025-10-26 02:10+02:00", ("01:30Z", "01:10Z")),
        ("2025-10-26 02:30", "2025-10-26 00:50Z", ("01:30Z", "01:50Z")),
        ("2025-10-26 00:50Z", "2025-10-26 02:10", ("01:10Z", "01:10Z")),
        ("2025-10-26 03:10", "2025-10-26 02:50", ("02:10Z", "01:50Z")),
        # An hour that it leaves out.
        ("2025-03-30 02:30", "2025-03-30 03:10", ("00:30Z", "01:10Z")),
        ("2025-03-30 02:30", "2025-03-30 03:40", ("01:30Z", "01:40Z")),
        ("2025-03-30 02:10", "2025-03-30 02:30", ("01:10Z", "01:30Z")),
        ("2025-03-30 02:30", "2025-03-30 02:10", ("01:30Z", "01:10Z")),
        ("2025-03-30 01:50", "2025-03-30 02:10", ("00:50Z", "01:10Z")),
        ("2025-03-30 02:30", "2025-03-30 00:40Z", ("00:30Z", "00:40Z")),
        # Plainly the wrong way round.
        ("2025-06-01 02:30", "2025-06-01 02:10", ("00:30Z", "00:10Z")),
    ],
)
def test_a_start_is_read_so_that_it_is_not_behind_its_end(
    start: str, end: str, expected: tuple[str, str]
) -> None:
    found = period(datetime.fromisoformat(start), datetime.fromisoformat(end), BERLIN)
    assert found == tuple(datetime.fromisoformat(f"{start[:10]} {one}") for one in expected)


CHANGES = [datetime(2025, 3, 30, 1, tzinfo=UTC), datetime(2025, 10, 26, 1, tzinfo=UTC)]


@given(
    change=st.sampled_from(CHANGES),
    begin=st.integers(-10_000, 10_000),
    seconds=st.integers(0, 10_000),
    keeps=st.tuples(st.booleans(), st.booleans()),
)
def test_what_happened_in_order_is_stored_in_order_whatever_the_clock_did(
    change: datetime, begin: int, seconds: int, keeps: tuple[bool, bool]
) -> None:
    start = change + timedelta(seconds=begin)
    times = (start, start + timedelta(seconds=seconds))
    by_clock = (one.astimezone(BERLIN) for one in times)
    began, ended = (
        one if keep else one.replace(tzinfo=None) for one, keep in zip(by_clock, keeps, strict=True)
    )
    first, last = period(began, ended, BERLIN)
    assert first <= last
    assert (stored(first, BERLIN), stored(last, BERLIN)) == (first, last), "ICAT gives back something else"


def test_a_time_without_offset_is_of_this_machines_zone_where_none_is_configured() -> None:
    naive = datetime.fromisoformat("2025-06-01 12:00")
    assert stored(naive, None) == naive.astimezone()


def test_years_that_icat_shifts_or_refuses_are_not_storable() -> None:
    assert [year for year in (1582, 1583, 9998, 9999) if storable(datetime(year, 6, 1, tzinfo=UTC))] == [
        1583,
        9998,
    ]


def test_a_zone_that_is_none_is_refused_with_an_example() -> None:
    with pytest.raises(ValueError, match="Europe/Madrid"):
        zone_of("Barcelona")


def test_values_are_bound_as_data() -> None:
    query = (
        "SELECT d FROM Dataset d WHERE d.name = :name AND d.id IN (:ids) AND d.startDate > :start AND :u = 1"
    )
    offset = timezone(timedelta(hours=2))
    bound = bind(
        query,
        {"name": "O'Hara :ids", "ids": [1, 2], "start": datetime(2025, 7, 1, 12, tzinfo=offset)},
        BERLIN,
    )
    assert bound == (
        "SELECT d FROM Dataset d WHERE d.name = 'O''Hara :ids' AND d.id IN (1, 2) "
        "AND d.startDate > {ts 2025-07-01 12:00:00} AND :u = 1"
    )


@given(st.text())
def test_whatever_text_holds_it_stays_one_literal(text: str) -> None:
    bound = bind(":x", {"x": text})
    assert bound[0] == bound[-1] == "'"
    assert bound[1:-1].replace("''", "").count("'") == 0
    assert bound[1:-1].replace("''", "'") == text


def test_an_empty_list_is_in_nothing() -> None:
    assert bind("o.id IN (:ids)", {"ids": []}) == "o.id IN (NULL)"
