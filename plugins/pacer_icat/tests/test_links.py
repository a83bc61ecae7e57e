"""Links between datasets: every message handled twice, in every order that matters."""

from __future__ import annotations

import json
import random
from itertools import permutations
from typing import Any

import pytest

from pacer_core import Delivery, Outcome
from pacer_icat import IcatClient
from pacer_icat.datasets.task import DATASETS
from pacer_icat.links.task import DATASET_LINKS
from plugins.pacer_icat.tests.support import dataset_message, deliver_to, follow, link_lists


def made(name: str, *inputs: str, **more: Any) -> dict[str, Any]:
    """Give the message about a dataset that was made from others."""
    parameters = [{"name": "scanType", "value": "x"}]
    if inputs:
        parameters.append({"name": "input_datasets", "value": ",".join(f"/data/{one}" for one in inputs)})
    return dataset_message(name=name, location=f"/data/{name}", parameters=parameters, datafiles=None, **more)


class Facility:
    """Stores datasets and their links, and tells what ICAT has of them."""

    def __init__(self, icat: IcatClient, plain: Any) -> None:
        self.icat, self.plain = icat, plain

    def store(self, message: dict[str, Any]) -> Delivery:
        stored = deliver_to(DATASETS, message, self.icat, twice=False)
        assert stored.outcome is Outcome.ACKED, stored.error
        return stored

    def link(self, *messages: dict[str, Any]) -> None:
        for message in messages:
            linked = follow(self.store(message), DATASET_LINKS, self.icat)
            assert linked.outcome is Outcome.ACKED, linked.error

    def lists(self) -> dict[str, dict[str, list[str]]]:
        """Give the lists of all datasets, with names instead of ids."""
        return link_lists(self.plain)

    def full(self, dataset: str) -> tuple[str, str]:
        """Give the names of all that a dataset was made from, and of all that was made from it."""
        found = self.lists().get(dataset, {})
        for kind in ("input", "output"):
            assert found.get(f"__full_{kind}_datasetIds") == found.get(f"__full_{kind}_datasetNames")
        return (
            " ".join(found.get("__full_input_datasetNames", ())),
            " ".join(found.get("__full_output_datasetNames", ())),
        )


@pytest.fixture
def facility(icat: IcatClient, plain: Any) -> Facility:
    """The demo facility."""
    return Facility(icat, plain)


def test_a_processed_dataset_and_its_raw_one_name_each_other(facility: Facility) -> None:
    facility.link(made("raw"), made("processed", "raw"))
    assert facility.lists() == {
        "raw": {
            "output_datasetIds": ["processed"],
            "output_datasets": ["/data/processed"],
            "output_datasetNames": ["processed"],
            "__full_output_datasetIds": ["processed"],
            "__full_output_datasetNames": ["processed"],
        },
        "processed": {
            "input_datasetIds": ["raw"],
            "__full_input_datasetIds": ["raw"],
            "__full_input_datasetNames": ["raw"],
        },
    }


@pytest.mark.parametrize(
    "order", list(permutations(range(4)))[::5], ids=lambda order: "".join(map(str, order))
)
def test_the_order_of_a_diamond_does_not_matter(facility: Facility, order: tuple[int, ...]) -> None:
    diamond = [made("a"), made("b", "a"), made("c", "a"), made("d", "b", "c")]
    facility.link(*(diamond[one] for one in order))
    full = {name: [sorted(one.split()) for one in facility.full(name)] for name in "abcd"}
    assert full == {
        "a": [[], ["b", "c", "d"]],
        "b": [["a"], ["d"]],
        "c": [["a"], ["d"]],
        "d": [["a", "b", "c"], []],
    }
    direct = facility.lists()
    assert sorted(direct["d"]["input_datasetIds"]) == ["b", "c"]
    assert sorted(direct["a"]["output_datasetNames"]) == ["b", "c"]


def test_a_cycle_ends_and_nothing_is_made_from_itself(facility: Facility) -> None:
    facility.link(made("a", "c"), made("b", "a"), made("c", "b"))
    assert {name: facility.full(name) for name in "abc"} == {
        "a": ("b c", "b c"),
        "b": ("a c", "a c"),
        "c": ("a b", "a b"),
    }


def test_a_dataset_that_names_itself_is_not_linked(facility: Facility) -> None:
    facility.link(made("a", "a"))
    assert facility.lists() == {}


def test_links_lead_into_other_investigations(facility: Facility, plain: Any) -> None:
    (other,) = plain.search("SELECT i FROM Investigation i WHERE i.name = 'hg123'")
    elsewhere = {"investigation": None, "investigation_id": other.id}
    facility.link(
        made("raw", **elsewhere), made("p1", "raw"), made("p2", "raw", **elsewhere), made("q", "p1")
    )
    assert facility.full("raw") == ("", "p1 p2 q")
    assert facility.full("q") == ("raw p1", "")


def test_a_relative_folder_is_one_of_the_same_investigation(facility: Facility, plain: Any) -> None:
    (other,) = plain.search("SELECT i FROM Investigation i WHERE i.name = 'hg123'")
    elsewhere = {"investigation": None, "investigation_id": other.id}
    raw, processed = made("raw") | {"location": "Sample/ref"}, made("p", "x")
    processed["parameters"] = [{"name": "input_datasets", "value": "Sample/ref"}]
    facility.link(raw | elsewhere | {"name": "other"}, processed)
    assert facility.lists() == {}
    facility.link(raw)
    assert facility.full("p") == ("raw", "")


def test_folders_compare_without_blanks_around_and_slashes_behind(facility: Facility) -> None:
    raw = made("raw") | {"location": "/data/raw/"}
    processed = made("processed")
    processed["parameters"] = [{"name": "input_datasets", "value": " /data/other ,\n /data/raw , "}]
    facility.link(processed, raw)
    assert facility.full("processed") == ("raw", "")


def test_a_folder_that_only_looks_alike_is_not_linked(facility: Facility) -> None:
    facility.link(made("raw_1"), made("raw%1"), made("raw_10"), made("p", "rawx1"), made("q", "raw_10"))
    assert facility.full("q") == ("raw_10", "")
    assert "p" not in facility.lists()
    facility.link(made("raw_1"), made("raw%1"))
    assert facility.lists().keys() == {"q", "raw_10"}


def test_text_of_folders_is_data(facility: Facility) -> None:
    name = "it's :name \\ 'or' 1=1"
    facility.link(made("p", name), made(name))
    assert facility.lists()["p"]["input_datasetIds"] == [name]


def test_names_are_those_that_people_gave(facility: Facility) -> None:
    raw = made("raw [15/07/2025 10:00:00]")
    raw["location"] = "/data/raw"
    raw["parameters"] = [{"name": "datasetName", "value": "raw"}]
    facility.link(raw, made("p", "raw"))
    assert facility.lists()["p"]["__full_input_datasetNames"] == ["raw"]


def test_a_reprocessing_with_other_inputs_takes_its_name_from_the_earlier_ones(facility: Facility) -> None:
    def processing(index: int, source: str) -> dict[str, Any]:
        message = made("p", source, start_date=f"2025-07-15T1{index}:00:00+02:00")
        message["parameters"].append({"name": "Process_sequence_index", "value": index})
        return message

    facility.link(made("root"), made("a", "root"), made("b", "root"), processing(1, "a"), made("q", "p"))
    assert facility.full("a") == ("root", "p q")
    facility.link(processing(2, "b"))
    assert facility.full("b") == ("root", "p q")
    assert facility.full("a") == ("root", "")
    assert sorted(facility.full("root")[1].split()) == ["a", "b", "p", "q"]
    assert facility.full("p") == ("root b", "q")
    assert facility.lists()["a"]["output_datasetIds"] == []


def test_a_list_that_would_be_too_long_keeps_whole_entries_and_says_so(
    facility: Facility, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"{number:02}-{'x' * 190}" for number in range(25)]
    facility.link(made("raw"), *(made(name, "raw") for name in names))
    lists = facility.lists()["raw"]
    assert lists["output_datasetNames"] == lists["__full_output_datasetNames"] == names[:20]
    assert lists["output_datasetIds"] == lists["__full_output_datasetIds"] == names
    (raw,) = facility.plain.search("SELECT d.id FROM Dataset d WHERE d.name = 'raw'")
    caplog.clear()
    facility.link(made("raw"))
    assert (
        f"dataset {raw}: left out to stay within 4000 characters: __full_output_datasetNames (5), "
        "output_datasetNames (5), output_datasets (5)"
    ) in caplog.text
    caplog.clear()
    facility.link(made(names[0], "raw"))
    assert caplog.text == ""
    facility.link(made(names[-1], "raw"))
    assert f"dataset {raw}: left out" in caplog.text


def test_what_no_longer_fits_the_direct_list_is_still_found(
    facility: Facility, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pacer_icat.schema.Schema.length", lambda _, __, field: 40 if field == "stringValue" else 255
    )
    letters = "abcdefghijklmnopqtuvwxyz"
    facility.link(made("R"), made("S", "R"), *(made(letter, "S") for letter in letters))
    found = facility.lists()
    assert 0 < len(found["S"]["output_datasetIds"]) < 15  # a letter takes less space than an id
    assert found["R"]["__full_output_datasetNames"] == ["S", *letters[:19]]


def test_links_of_datasets_with_an_input_each_cost_calls_in_proportion(facility: Facility) -> None:
    deliveries = [
        facility.store(made(f"{kind}{number}", *([f"raw{number}"] if kind == "p" else [])))
        for number in range(40)
        for kind in ("raw", "p")
    ]
    calls = []
    for delivery in deliveries:
        before = facility.icat.shared.wire.calls
        follow(delivery, DATASET_LINKS, facility.icat, twice=False)
        calls.append(facility.icat.shared.wire.calls - before)
    assert calls[1:] == [6, *[14, 6] * 39]  # the raw one writes for both


def test_a_raw_dataset_without_links_costs_four_calls(facility: Facility) -> None:
    facility.link(made("first"))
    stored = facility.store(made("second"))
    before = facility.icat.shared.wire.calls
    follow(stored, DATASET_LINKS, facility.icat, twice=False)
    assert facility.icat.shared.wire.calls - before == 4


def test_a_dataset_that_icat_does_not_have_makes_the_message_wait(icat: IcatClient) -> None:
    delivery = deliver_to(DATASET_LINKS, {"dataset_id": 987654321}, icat)
    assert delivery.outcome is Outcome.RETRIED
    assert [failure.kind for failure in delivery.failures] == ["not-yet"]


def test_a_parameter_type_that_icat_lacks_is_named(facility: Facility, plain: Any) -> None:
    stored = facility.store(made("raw"))
    (kind,) = plain.search("SELECT t FROM ParameterType t WHERE t.name = '__full_input_datasetIds'")
    plain.delete(kind)
    delivery = follow(stored, DATASET_LINKS, facility.icat)
    assert [failure.kind for failure in delivery.failures] == ["not-yet"]
    assert "__full_input_datasetIds" in (delivery.error or "")


def test_the_key_is_the_investigation_whether_the_message_names_it_or_not(facility: Facility) -> None:
    from pacer_core.testing import context
    from pacer_icat import ICAT

    (found,) = (
        one for one in facility.store(made("raw")).follow_ups if one.consumer_type == DATASET_LINKS.name
    )
    body = json.loads(found.body)
    assert DATASET_LINKS.key is not None
    for more in ({}, {"investigation_id": None}, {"dataset_id": 987654321, "investigation_id": None}):
        message = DATASET_LINKS.message(**body | more)  # type: ignore[misc]  # an attrs class
        key = DATASET_LINKS.key.of(message, context(integrations={ICAT: facility.icat}))
        assert key == (None if message.dataset_id == 987654321 else "20250330096")


def test_a_large_random_graph_ends_as_a_plain_walk_says(facility: Facility) -> None:
    draw = random.Random(5)
    names = [f"n{number:02}" for number in range(16)]
    inputs = {
        name: draw.sample([one for one in names if one != name], draw.choice([0, 1, 1, 2])) for name in names
    }
    shuffled = draw.sample(names, len(names))
    facility.link(*(made(name, *inputs[name]) for name in shuffled))

    def walk(name: str) -> set[str]:
        reached: set[str] = set()
        level = set(inputs[name])
        while level:
            reached |= level
            level = {one for each in level for one in inputs[each]} - reached
        return reached - {name}

    lists = facility.lists()
    for name in names:
        assert set(lists.get(name, {}).get("__full_input_datasetNames", ())) == walk(name)
        after = {other for other in names if name in walk(other)}
        assert set(lists.get(name, {}).get("__full_output_datasetNames", ())) == after
