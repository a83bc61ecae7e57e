"""The recorded answers of a real SciCat backend 5.1.0, played against the stand-in."""

import importlib.util
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parent / "golden"


def load_play() -> Any:
    spec = importlib.util.spec_from_file_location("scicat_golden_play", GOLDEN / "play.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def steps() -> list[Any]:
    play = load_play()
    return list(play.play(play.recordings()))


def test_all_recorded_steps_are_played(steps: list[Any]) -> None:
    assert Counter(step.recording for step in steps) == {"admin": 579, "ingestor": 579, "pidregex": 11}


def test_what_differs_is_exactly_what_is_listed(steps: list[Any]) -> None:
    listed = set(load_play().known())
    differing = {step.place: str(step) for step in steps if not step.same}

    assert {place: text for place, text in differing.items() if place not in listed} == {}
    assert listed - set(differing) == set()


def test_nearly_all_steps_agree_overall_and_in_every_group(steps: list[Any]) -> None:
    total = Counter((step.recording, step.group) for step in steps)
    same = Counter((step.recording, step.group) for step in steps if step.same)

    assert same.total() / total.total() >= 0.98
    assert {place: same[place] / total[place] for place in total if same[place] / total[place] < 0.85} == {}
