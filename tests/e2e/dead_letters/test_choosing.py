"""Dead letters are chosen, by filters, by ids and by a person, before anything is done with them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from pacer_core import BadField
from tests.e2e.dead_letters.facility import Facility


@pytest.mark.parametrize(
    ("filters", "meant"),
    [
        (["--consumer", "samples"], {1, 2, 3}),
        (["--consumer", "parcels"], {4}),
        (["--error", "KEYERROR"], {2}),
        (["--error", "away.*[0-9]s"], {3}),
        (["--error", "(no regex"], {4}),
        (["--error", r"parts\[7"], {1}),
        (["--older-than", "2d"], {2}),
        (["--newer-than", "2d"], {1, 3, 4}),
        (["--older-than", "30min", "--newer-than", "2d"], {3}),
        (["--correlation-id", "c-3"], {3}),
        (["--consumer", "samples", "--error", "KeyError", "--newer-than", "1h"], set()),
    ],
)
def test_filters_pick_letters(facility: Facility, filters: list[str], meant: set[int]) -> None:
    facility.die(1, fields=(BadField("parts[7].name", "is missing"),))
    facility.die(2, reason="KeyError: 'x'", ago=timedelta(days=4))
    facility.die(3, reason="ICAT is away for 12s", ago=timedelta(hours=2))
    facility.die(4, reason="(no regex", consumer="parcels", queue="parcels")
    found = orjson.loads(facility.pacer("dead", "list", "--json", *filters).out)
    assert {one["correlation_id"] for one in found["letters"]} == {f"c-{number}" for number in meant}
    assert found["counts"]["matching"] == len(meant)
    assert found["counts"]["looked"] == 4
    discarded = facility.pacer("dead", "discard", "--yes", *filters)
    assert discarded.code == (0 if meant else 1)
    left = {*facility.ids(), *facility.ids("parcels.dead")}
    assert left == {f"c-{number}" for number in {1, 2, 3, 4} - meant}


@pytest.mark.parametrize("act", ["replay", "discard", "export"])
def test_a_dry_run_counts_and_changes_nothing(facility: Facility, act: str, tmp_path: Path) -> None:
    facility.fill(12)
    target = [tmp_path / "out"] if act == "export" else []
    done = facility.pacer("dead", act, "--dry-run", "--all", *target)
    assert (done.code, "12 letters in samples.dead" in done.out) == (0, True)
    assert "dry run: nothing was changed" in done.out
    assert (facility.depth("samples.dead"), facility.depth("samples")) == (12, 0)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("act", ["replay", "discard", "export"])
def test_without_a_yes_nothing_happens(facility: Facility, act: str, tmp_path: Path) -> None:
    facility.fill(3)
    target = [tmp_path / "out"] if act == "export" else []
    done = facility.pacer("dead", act, "--all", *target)
    assert done.code == 1
    assert "3 letters" in done.out
    assert (facility.depth("samples.dead"), facility.depth("samples")) == (3, 0)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("act", ["replay", "discard"])
def test_an_act_without_a_choice_is_refused(facility: Facility, act: str) -> None:
    facility.fill(3)
    assert "Give an ID, a filter, or --all" in facility.pacer("dead", act, "--yes").err
    assert "exclude each other" in facility.pacer("dead", act, "--yes", "--all", "-n", "samples").err
    assert facility.depth("samples.dead") == 3


def test_letters_are_named_by_ids_of_which_the_beginning_is_enough(facility: Facility) -> None:
    facility.fill(3)
    first, second, _ = facility.letters()
    assert facility.pacer("dead", "discard", "--yes", first.id[:6], second.id).code == 0
    assert facility.ids() == ["c-2"]
    assert facility.pacer("dead", "discard", "--yes", "zzzzzz").code == 1


def test_only_what_was_counted_is_acted_upon(facility: Facility, monkeypatch: pytest.MonkeyPatch) -> None:
    facility.fill(3)

    def confirm(*_: Any, **__: Any) -> bool:
        facility.die(77)  # a worker goes on, while a person thinks
        facility.pacer("dead", "discard", "--yes", "c-1")  # and somebody else helps
        return True

    monkeypatch.setattr("click.confirm", confirm)
    done = facility.pacer("dead", "replay", "--all")
    assert "2 of 3 letters replayed" in done.out
    assert "1 was no longer there" in done.out
    assert done.code == 1
    assert facility.ids() == ["c-77"]
