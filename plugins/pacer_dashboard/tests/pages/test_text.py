"""What others wrote, as pages show it."""

from __future__ import annotations

import pytest

from pacer_dashboard.pages.text import about, duration, number, visible


def test_controls_and_marks_that_turn_a_line_are_seen_for_what_they_are() -> None:
    assert visible("\x1b[31mred\x1b[0m") == "␛[31mred␛[0m"
    assert visible("a\u202eb\u2066c\u200bd\x9b\x7f") == "a⟨U+202E⟩b⟨U+2066⟩c⟨U+200B⟩d⟨U+009B⟩␡"
    assert visible("\ud800") == "⟨U+D800⟩"


def test_letters_of_every_script_emoji_and_lines_stay() -> None:
    said = "Zażółć 数据 مجموعة 👩\u200d🔬\n\tnext"
    assert visible(said) == said


def test_long_text_is_cut_with_a_sign_of_it() -> None:
    assert visible("x" * 100, 10) == "x" * 9 + "…"
    assert visible("x" * 10, 10) == "x" * 10


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, ""), (0, "0 ms"), (0.0004, "0.4 ms"), (0.0421, "42 ms"), (0.9996, "1 s"), (4.25, "4.2 s"),
        (59.96, "1 min"), (200, "3 min 20 s"), (7260, "2 h 1 min"), (187200, "2 d 4 h"), (-3, "-3 s"),
    ],
)  # fmt: skip
def test_a_length_of_time_is_said_in_its_two_largest_units(seconds: float | None, said: str) -> None:
    assert duration(seconds) == said


def test_an_estimate_is_rounded_and_says_that_it_is_one() -> None:
    assert about(1234567, exact=True) == "1\u202f234\u202f567"
    assert about(1234567, exact=False) == "≈\u202f1\u202f200\u202f000"
    assert number(12.5) == "12.5"
