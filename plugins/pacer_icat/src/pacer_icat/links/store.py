"""Writing a dataset's links: on itself, on its inputs and outputs, and on all that these lead to.

Everything is computed from ``input_datasets`` and written again until ICAT holds what it says: with two
writers, the later one finds what the earlier one has overwritten.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from pacer_core import NotYet, Planned
from pacer_icat import kept
from pacer_icat.client import Shared
from pacer_icat.kept import Place
from pacer_icat.links.graph import (
    ALL_INPUT_IDS,
    ALL_INPUT_NAMES,
    ALL_OUTPUT_IDS,
    ALL_OUTPUT_NAMES,
    INPUT_IDS,
    INPUTS,
    LISTS,
    OUTPUT_IDS,
    OUTPUT_LOCATIONS,
    OUTPUT_NAMES,
    WALKED,
    Graph,
    Reach,
    numbers,
    split,
)
from pacer_icat.others import until_stable
from pacer_icat.spellings import folder

log = logging.getLogger("pacer.icat.links")


@frozen
class Lists:
    """What all lists are to hold that a dataset has a place in, as compared with ICAT.

    ``cut`` says by dataset which lists do not fit in whole, and how much of them is left out.
    """

    changes: kept.Changes
    last: kept.Changes
    """The list of the dataset's own inputs, where some are no more: a repetition after a crash needs it."""
    cut: Mapping[int, Sequence[str]]
    longest: int


def store_links(dataset: int, icat: Shared) -> None:
    """Bring all lists that a dataset has a place in to what the inputs of datasets say.

    Raises
    ------
    NotYet
        Where ICAT has no such dataset, or lacks a parameter type.
    Retry
        Where other writers come in between again and again.
    IcatFault
        Where ICAT refuses for a reason other than another writer.
    """

    def write() -> tuple[Lists, bool]:
        lists = _plan(dataset, icat)
        wrote = [kept.write(part, icat) for part in (lists.changes, lists.last)]
        return lists, any(wrote)

    lists = until_stable(write, "others are writing the same links")
    for id_, cut in lists.cut.items():
        log.warning(
            "dataset %d: left out to stay within %d characters: %s", id_, lists.longest, ", ".join(cut)
        )


def foresee_links(dataset: int, icat: Shared) -> Iterator[Planned]:
    """Say what `store_links` would do: of the dataset, and of the others that would be changed.

    Raises
    ------
    NotYet
        As `store_links`.
    """
    lists = _plan(dataset, icat)
    places = [*lists.changes.new, *lists.changes.changed, *lists.last.new, *lists.last.changed]
    for id_ in sorted({dataset, *(id_ for id_, _ in places)}):
        yield kept.planned("Dataset", id_, [*lists.changes.said_of(id_), *lists.last.said_of(id_)])
    for id_, cut in lists.cut.items():
        yield Planned(
            f"dataset {id_}", "left-out", f"to stay within {lists.longest} characters: {', '.join(cut)}"
        )


def _plan(dataset: int, icat: Shared) -> Lists:
    """Compute the lists as they are to be now."""
    types = kept.types_for("Dataset", (*WALKED, *LISTS), icat)
    longest = icat.wire.schema.length("DatasetParameter", "stringValue") or 4000
    graph = Graph(icat, types, longest)
    removed = _link(dataset, graph)
    wanted: dict[Place, Any] = {}
    cut: dict[int, list[str]] = {}
    for (id_, name), linked in sorted(_lists(dataset, removed, graph).items()):
        text, fit = fitting([_ENTRY[name](graph, one) for one in linked], longest)
        if text or (id_, name) in graph.stored:
            wanted[id_, name] = text
        if dataset in (id_, *linked[fit:]) and fit < len(linked):
            cut.setdefault(id_, []).append(f"{name} ({len(linked) - fit})")
    last = {place: wanted.pop(place) for place in [(dataset, INPUT_IDS)] if removed and place in wanted}
    first_, last_ = (kept.compare("Dataset", part, graph.stored, types, icat) for part in (wanted, last))
    return Lists(first_, last_, cut, longest)


def fitting(entries: Sequence[str], longest: int) -> tuple[str, int]:
    """Join the first entries that fit whole into so many characters, as Java counts; tell how many do."""
    length = -1
    for number, entry in enumerate(entries):
        length += 1 + len(entry.encode("utf-16-le")) // 2
        if length > longest:
            return " ".join(entries[:number]), number
    return " ".join(entries), len(entries)


def _link(dataset: int, graph: Graph) -> set[int]:
    """Find the direct links of a dataset, both ways; give the datasets that it is no more made from."""
    graph.load([dataset])
    node = graph.nodes.get(dataset)
    if node is None:
        raise NotYet(f"ICAT has no dataset with id {dataset}")
    folders = split(graph.text(dataset, INPUTS))
    located = graph.locate(set(folders), node.investigation) if folders else {}
    before = numbers(graph.text(dataset, INPUT_IDS))
    inputs = {one for folder in folders for one in located.get(folder, ())} - {dataset}
    if inputs:
        graph.inputs[dataset] = inputs
        removed = before - inputs
    else:
        inputs, removed = before, set()
    graph.load(inputs | removed)
    removed &= graph.nodes.keys()
    around = [graph.nodes[one] for one in {dataset, *inputs, *removed} if one in graph.nodes]
    everywhere = any(one.investigation != node.investigation for one in around)
    users = graph.users_of([one for one in around if folder(one.location)], everywhere=everywhere)
    graph.load(one for several in users.values() for one in several)
    _link_users(dataset, users.get(dataset, set()), graph)
    for one in (one.id for one in around):
        known = numbers(graph.text(one, OUTPUT_IDS)) | users.get(one, set())
        if one in inputs:
            known.add(dataset)
        if one in removed:
            known.discard(dataset)
        graph.outputs[one] = known
    return removed


def _link_users(dataset: int, users: set[int], graph: Graph) -> None:
    """Give the datasets that were made from this one, and came earlier, their inputs."""
    folders = {user: split(graph.text(user, INPUTS)) for user in users if user in graph.nodes}
    open_ = {
        folder
        for user, several in folders.items()
        if dataset not in numbers(graph.text(user, INPUT_IDS))
        for folder in several
    }
    if not open_:
        return
    located = graph.locate(open_, graph.nodes[dataset].investigation)
    for user, several in folders.items():
        inputs = {one for folder in several for one in located.get(folder, ())}
        graph.inputs[user] = (numbers(graph.text(user, INPUT_IDS)) | inputs) - {user}


def _lists(dataset: int, removed: set[int], graph: Graph) -> dict[Place, list[int]]:
    """Give what all lists are to hold that may change: datasets in the order of their ids."""
    up, down = Reach(graph.up), Reach(graph.down)
    starts = {dataset, *removed}
    affected = starts | up.of(starts) | down.of({dataset})
    affected &= graph.nodes.keys()
    lists: dict[Place, list[int]] = {}
    for id_ in affected:
        lists[id_, ALL_INPUT_IDS] = lists[id_, ALL_INPUT_NAMES] = sorted(up.of([id_]) - {id_})
        lists[id_, ALL_OUTPUT_IDS] = lists[id_, ALL_OUTPUT_NAMES] = sorted(down.of([id_]) - {id_})
    for id_, links in graph.up(graph.inputs.keys()).items():
        lists[id_, INPUT_IDS] = sorted(links)
    for id_, links in graph.down(graph.outputs.keys()).items():
        lists[id_, OUTPUT_IDS] = lists[id_, OUTPUT_NAMES] = lists[id_, OUTPUT_LOCATIONS] = sorted(links)
    graph.load_lists({id_ for id_, _ in lists})
    return lists


def _id(_: Graph, dataset: int) -> str:
    return str(dataset)


_ENTRY: Mapping[str, Callable[[Graph, int], str]] = {
    **dict.fromkeys((INPUT_IDS, OUTPUT_IDS, ALL_INPUT_IDS, ALL_OUTPUT_IDS), _id),
    **dict.fromkeys((OUTPUT_NAMES, ALL_INPUT_NAMES, ALL_OUTPUT_NAMES), Graph.called),
    OUTPUT_LOCATIONS: lambda graph, dataset: graph.nodes[dataset].location,
}
"""How each list writes a dataset."""
