"""Which indexes a message may name."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from attrs import evolve

from pacer_core import Reject
from pacer_elastic import ElasticOptions
from pacer_elastic.options import is_index
from pacer_http.testing import StandIn
from plugins.pacer_elastic.tests.conftest import Facility

NOT_NAMES = [
    *(".security", ".security-7", ".ds-logs", ".", "..", "_all", "-datasets", "+x", "datasets,.security"),
    *("datasets*", "*", "<datasets-{now/d}>", "other:datasets", "Datasets", "datasetsÄ", "data\u202esets"),
    *("data\u200bsets", "data\x9bsets", "a b", "a\nb", "a/../b", "a?pretty", "a#b", "a\\b", "é" * 128),
]


@pytest.mark.parametrize("name", NOT_NAMES)
def test_what_is_no_name_of_an_index_is_neither_an_option_nor_asked_for(
    facility: Facility, service: StandIn, name: str
) -> None:
    assert not is_index(name)
    with pytest.raises(ValueError, match="is no name of an index"):
        evolve(facility.options, index=name)
    everything = evolve(facility.options, indexes=("*",))
    with ExitStack() as stack, pytest.raises(Reject) as caught:
        Facility(facility.icat, everything).client(stack).index([], name)
    assert [bad.path for bad in caught.value.fields] == ["index_name"]
    assert service.requests == []


@pytest.mark.parametrize(
    ("index", "indexes", "may", "may_not"),
    [
        ("datasets", None, ["datasets", "datasets-2025"], ["users", "datasets2", "xdatasets-1"]),
        ("datasets", (), ["datasets"], ["datasets-2025"]),
        ("datasets", ("old", "t?st-*"), ["datasets", "old", "test-1", "tast-"], ["older", "test", "x"]),
        ("data[s]", None, ["data[s]", "data[s]-1"], ["datas", "datas-1"]),
    ],
)
def test_a_message_may_name_what_the_options_have(
    index: str, indexes: tuple[str, ...] | None, may: list[str], may_not: list[str]
) -> None:
    options = ElasticOptions("https://elastic.example.org", index=index, indexes=indexes)
    assert [name for name in may if not options.may_write(name)] == []
    assert [name for name in may_not if options.may_write(name)] == []


@pytest.mark.parametrize("name", ["users", "pacer-logs"])
def test_another_index_is_refused_before_anything_is_sent(
    facility: Facility, service: StandIn, name: str
) -> None:
    with ExitStack() as stack, pytest.raises(Reject) as caught:
        facility.client(stack).index([], name)
    assert "'indexes'" in str(caught.value.fields[0].message)
    assert service.requests == []


@pytest.mark.parametrize("pattern", [".*", ".security", "_*", "-*", "a,b", "A*", ""])
def test_no_pattern_leads_to_what_is_no_index(pattern: str) -> None:
    with pytest.raises(ValueError, match="is no pattern of indexes"):
        ElasticOptions("https://elastic.example.org", indexes=("datasets", pattern))
