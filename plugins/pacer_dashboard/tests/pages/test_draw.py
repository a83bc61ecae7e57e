"""Charts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from pacer_dashboard.pages.draw.chart import Chart, Line, linear, logarithmic
from pacer_dashboard.pages.draw.heat import cell
from pacer_dashboard.pages.draw.svg import bars, curves, spark

_HOURS = tuple(datetime(2026, 3, 2, at, tzinfo=UTC) for at in range(4))


def _chart(*values: float | None, name: str = "dead") -> Chart:
    return Chart("Deliveries", _HOURS[: len(values)], timedelta(hours=1), (Line(name, values, "bad"),))


@given(st.floats(1e-6, 1e12))
def test_a_scale_reaches_above_all_values_in_few_steps(largest: float) -> None:
    scale = linear(largest, whole=False)
    assert scale.top >= largest * (1 - 1e-6)
    assert 2 <= len(scale.ticks) <= 6
    assert 0 <= scale.place(largest) <= 1


def test_a_logarithmic_scale_has_the_powers_of_ten_around_its_values() -> None:
    scale = logarithmic(0.03, 40)
    assert scale.ticks == pytest.approx((0.01, 0.1, 1, 10, 100))
    assert scale.place(1) == pytest.approx(0.5)


def test_a_bar_is_as_high_as_its_value_and_one_failure_is_seen() -> None:
    drawn = etree.fromstring(str(bars(_chart(100, 0, 50, 1))).encode())
    heights = [float(one.get("height") or 0) for one in drawn.iter("rect") if one.get("class") == "bad"]
    assert heights == [1000, 500, 10]


def test_a_line_breaks_where_there_is_no_figure() -> None:
    drawn = etree.fromstring(str(curves(_chart(1, None, 2, 3))).encode())
    lines = [one.get("points") or "" for one in drawn.iter("polyline")]
    assert len(lines) == 2
    assert "15," not in " ".join(lines)


@pytest.mark.parametrize("draw", [bars, curves])
@pytest.mark.parametrize("values", [(), (0,), (None,), (0, 0, 0), (5,)])
def test_charts_of_little_or_nothing_are_drawn(draw: object, values: tuple[float | None, ...]) -> None:
    etree.fromstring(str(draw(_chart(*values))).encode())  # type: ignore[operator]


def test_names_of_others_stay_text_and_nothing_has_a_style() -> None:
    drawn = str(bars(_chart(1, 2, name='<script>"&'))) + str(spark([1, 2], 'x" onload="y'))
    assert "<script" not in drawn
    assert not re.search(r'style=|\son\w+="', drawn)


def test_the_table_has_what_the_chart_shows() -> None:
    assert _chart(1200, None).rows[0] == ("2026-03-02 00:00", ("1\u202f200",))
    assert _chart(1200, None).rows[1][1] == ("",)


def test_a_cell_is_the_redder_the_more_failed_and_empty_where_nothing_came() -> None:
    shares = ((0, 0), (0, 9), (1, 100), (2, 100), (9, 100), (30, 100), (9, 9))
    assert [cell(*one).level for one in shares] == [-1, 0, 1, 2, 3, 4, 5]
    assert cell(1, 40).said == "2.5 % (1/40)"
