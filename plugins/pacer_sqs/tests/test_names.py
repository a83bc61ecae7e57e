from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer_sqs.names import decode, encode


@given(st.one_of(st.text(), st.text("a-_.2DF"), st.text("a-_.").map(lambda stem: stem + ".fifo")))
def test_every_name_comes_back_from_one_that_sqs_takes(name: str) -> None:
    written = encode(name)

    assert decode(written) == name
    assert re.fullmatch(r"[A-Za-z0-9_-]*(\.fifo)?", written)


@given(st.text("a-_.2DF"), st.text("a-_.2DF"))
def test_two_names_are_never_one_at_sqs(one: str, other: str) -> None:
    assert (encode(one) == encode(other)) == (one == other)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("icat_datasets-2", "icat_datasets-2"),
        ("datasets.dead", "datasets--dead"),
        ("pacer.retry.60s", "pacer--retry--60s"),
        ("users.fifo", "users.fifo"),
        ("users.fifo.dead", "users--fifo--dead"),
        ("a#b", "a__23b"),
    ],
)
def test_names_stay_readable(name: str, written: str) -> None:
    assert encode(name) == written
