from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer_channel.routing import Binding, route, topic_pattern

KEYS = st.lists(st.sampled_from(["a", "b", "", "é", "a+"]), max_size=5).map(".".join)
PATTERNS = st.lists(st.sampled_from(["a", "b", "*", "#", "", "é", "a+"]), max_size=5).map(".".join)


def matches(pattern: list[str], words: list[str]) -> bool:
    """Say in the simplest way what a topic binding means."""
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(matches(pattern[1:], words[skip:]) for skip in range(len(words) + 1))
    return bool(words) and pattern[0] in ("*", words[0]) and matches(pattern[1:], words[1:])


def split(key: str) -> list[str]:
    return key.split(".") if key else []


@given(PATTERNS, KEYS)
def test_a_topic_pattern_means_what_its_words_say(pattern: str, key: str) -> None:
    found = topic_pattern(pattern).fullmatch(f".{key}" if key else "") is not None

    assert found == matches(split(pattern), split(key))


def test_an_unknown_exchange_type_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'x-hash'.*direct, topic, fanout, headers"):
        route("x-hash", [Binding("q", "a")], "a", {})
