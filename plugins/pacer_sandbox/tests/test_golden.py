"""The recorded conversations with a real ICAT 6.2.0, played against a sandbox."""

import importlib.util
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parent / "golden"


def load_play() -> Any:
    spec = importlib.util.spec_from_file_location("golden_play", GOLDEN / "play.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def steps() -> list[Any]:
    play = load_play()
    return [step for step in play.play(play.scenarios(), play.Known.load()) if not step.left_out]


def test_what_differs_is_exactly_what_is_listed(steps: list[Any]) -> None:
    listed = set(load_play().Known.load().differences)

    differing = {step.place: str(step) for step in steps if not step.same}

    assert {place: text for place, text in differing.items() if place not in listed} == {}
    assert listed - set(differing) == set()


def test_every_difference_has_a_reason() -> None:
    known = load_play().Known.load()

    assert all(len(reason) > 20 for reason in [*known.differences.values(), *known.left_out.values()])


def test_nearly_all_steps_agree_overall_and_in_every_scenario(steps: list[Any]) -> None:
    total = Counter(step.scenario for step in steps)
    same = Counter(step.scenario for step in steps if step.same)

    assert same.total() / total.total() >= 0.97
    assert {name: same[name] / total[name] for name in total if same[name] / total[name] < 0.9} == {}
