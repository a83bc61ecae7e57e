"""The sums behind the benchmarks' table; no test here measures anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from benchmarks import messages, probe
from benchmarks.contest import CONTESTANTS
from benchmarks.rows import PEERS, ROWS
from benchmarks.run import Result

BY_NAME = {row.name: row for row in ROWS}


def test_a_ratio_is_the_median_of_the_ratios_within_each_repeat() -> None:
    repeats = [
        {"pacer": Result(100.0), "kombu": Result(50.0)},  # 2
        {"pacer": Result(900.0), "kombu": Result(900.0)},  # 1
        {"pacer": Result(30.0), "kombu": Result(10.0)},  # 3
    ]
    assert BY_NAME["noop/kombu"].ratio(repeats) == 2.0


def test_a_repeat_in_which_one_side_failed_does_not_count() -> None:
    repeats = [{"pacer": Result(100.0)}, {"pacer": Result(30.0), "kombu": Result(10.0)}]
    assert BY_NAME["noop/kombu"].ratio(repeats) == 3.0
    assert BY_NAME["noop/kombu"].ratio(repeats[:1]) is None


def test_the_best_peer_is_the_fastest_of_those_that_ran() -> None:
    repeat = {"pacer-wait5ms": Result(600.0), PEERS[0]: Result(100.0), PEERS[1]: Result(300.0)}
    assert BY_NAME["wait5ms/best-peer"].ratio([repeat]) == 2.0


def test_cpu_is_reached_from_below_and_rates_from_above() -> None:
    assert BY_NAME["cpu/kombu"].reached(0.9)
    assert not BY_NAME["cpu/kombu"].reached(1.1)
    assert BY_NAME["noop/kombu"].reached(1.1)
    assert not BY_NAME["noop/kombu"].reached(0.9)


def test_every_row_names_consumers_that_exist() -> None:
    assert {name for row in ROWS for name in (*row.needs, *row.also)} <= set(CONTESTANTS)


def test_half_of_the_messages_with_a_hot_key_have_it() -> None:
    keys = CONTESTANTS["pacer-keys-hot"].keys
    assert keys.count(keys[0]) * 2 == len(keys)
    assert keys[0] not in CONTESTANTS["pacer-keys-hot"].keys[1::2]


def test_bodies_have_the_sizes_that_the_page_states() -> None:
    assert 900 < len(messages.as_json()) < 1200
    assert 1700 < len(messages.as_xml()) < 2200
    assert len(messages.as_json(size=2**20)) == pytest.approx(2**20, rel=0.01)


def test_the_notes_of_a_process_are_read_as_they_were_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "SETTING", {"folder": str(tmp_path), "warm_up": "2", "messages": "5"})
    monkeypatch.setattr(probe, "_notes", None)
    for _ in range(6):  # one comes twice
        probe.work()

    assert probe.counted(tmp_path) == 5
    ticks = probe.Ticks(next(tmp_path.glob("*.ticks")))
    assert list(ticks.times) == sorted(ticks.times)
    assert len(ticks.times) == 5
    assert 0 < ticks.cpu[0] <= ticks.cpu[1]


def test_a_short_run_has_fewer_messages_and_a_warm_up() -> None:
    short = evolve(CONTESTANTS["pacer"], expects=20_000).scaled(0.25)
    assert (short.expects, short.warm_up) == (5_000, 250)
