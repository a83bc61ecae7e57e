"""The graph of datasets and what was made from them, read from ICAT as far as one dataset's links need it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping

from attrs import frozen

from pacer_core import read_integer
from pacer_icat import kept
from pacer_icat.catalogue import ParameterType
from pacer_icat.client import Shared
from pacer_icat.kept import IDS_IN_ONE_QUERY, Kept, Place, chunks
from pacer_icat.spellings import folder, folder_spellings

INPUTS = "input_datasets"
"""The folders of a processed dataset's inputs, with commas between: a message brings it; all else follows."""
INPUT_IDS = "input_datasetIds"
OUTPUT_IDS = "output_datasetIds"
OUTPUT_LOCATIONS = "output_datasets"
OUTPUT_NAMES = "output_datasetNames"
ALL_INPUT_IDS = "__full_input_datasetIds"
ALL_INPUT_NAMES = "__full_input_datasetNames"
ALL_OUTPUT_IDS = "__full_output_datasetIds"
ALL_OUTPUT_NAMES = "__full_output_datasetNames"
NAME = "datasetName"
"""The name that people gave a dataset; it may have another in ICAT."""

WALKED = (INPUTS, INPUT_IDS, OUTPUT_IDS, NAME)
LISTS = (
    OUTPUT_LOCATIONS,
    OUTPUT_NAMES,
    ALL_INPUT_IDS,
    ALL_INPUT_NAMES,
    ALL_OUTPUT_IDS,
    ALL_OUTPUT_NAMES,
)
_PATTERNS_IN_ONE_QUERY = 25


@frozen
class Node:
    """A dataset."""

    id: int
    name: str
    location: str
    investigation: int


class Graph:
    """Datasets by id, their links as ICAT has them, and those that are to be there.

    ``inputs`` and ``outputs`` hold the direct links that are known better than ICAT's parameters have them;
    they prevail.
    """

    def __init__(self, icat: Shared, types: Mapping[str, ParameterType], longest: int) -> None:
        self.nodes: dict[int, Node] = {}
        self.stored: dict[Place, Kept] = {}
        self.inputs: dict[int, set[int]] = {}
        self.outputs: dict[int, set[int]] = {}
        self._icat = icat
        self._types = types
        self._longest = longest
        self._walked: set[int] = set()

    def load(self, ids: Iterable[int]) -> None:
        """Read datasets with their names and direct links; those that are gone stay unknown."""
        new = sorted(set(ids) - self._walked)
        for part in chunks([id_ for id_ in new if id_ not in self.nodes], IDS_IN_ONE_QUERY):
            self._read("d.id IN (:ids)", ids=part)
        self._walked.update(new)
        self.stored |= kept.read("Dataset", new, self._only(WALKED), self._icat) if new else {}

    def load_lists(self, ids: Collection[int]) -> None:
        """Read the other lists of some datasets."""
        self.stored |= kept.read("Dataset", ids, self._only(LISTS), self._icat)

    def locate(self, locations: Collection[str], investigation: int) -> dict[str, list[int]]:
        """Find datasets by their folders: in an investigation, and absolute ones not there in all others."""
        found: dict[str, list[int]] = defaultdict(list)
        open_ = sorted(locations)
        for condition, values in (
            ("d.investigation.id = :investigation", {"investigation": investigation}),
            ("d.investigation.facility.id = :facility", {"facility": self._icat.catalogue.facility()}),
        ):
            for part in chunks(open_, IDS_IN_ONE_QUERY // 3):
                spelt = [text for one in part for text in folder_spellings(one)]
                for id_ in self._read(
                    f"{condition} AND d.location IN (:locations)", locations=spelt, **values
                ):
                    place = folder(self.nodes[id_].location)
                    if place in locations and id_ not in found[place]:
                        found[place].append(id_)
            # A relative folder means something in its own investigation only.
            open_ = [one for one in open_ if not found.get(one) and one.startswith("/")]
        return found

    def users_of(self, nodes: Collection[Node], *, everywhere: bool) -> dict[int, set[int]]:
        """Give, by dataset, those with its folder among their inputs: of these investigations, or of all."""
        found: dict[int, set[int]] = {node.id: set() for node in nodes}
        by_folder: dict[str, list[Node]] = defaultdict(list)
        for node in nodes:
            by_folder[folder(node.location)].append(node)
        among = {node.investigation for node in nodes}
        where = "" if everywhere else "p.dataset.investigation.id IN (:investigations) AND "
        for part in chunks(sorted(by_folder), _PATTERNS_IN_ONE_QUERY):
            patterns = {f"pattern{number}": _pattern(place) for number, place in enumerate(part)}
            likes = " OR ".join(f"p.stringValue LIKE :{name}" for name in patterns)
            for user, home, text in self._icat.wire.search_all(
                "SELECT p.dataset.id, p.dataset.investigation.id, p.stringValue FROM DatasetParameter p "  # noqa: S608 - names
                f"WHERE {where}p.type.id = :type AND ({likes}) ORDER BY p.id",
                type=self._types[INPUTS].id,
                investigations=sorted(among),
                **patterns,
            ):
                for place in split(text):
                    for node in by_folder.get(place, ()):
                        if node.id != user and (place.startswith("/") or node.investigation == home):
                            found[node.id].add(user)
        return found

    def text(self, id_: int, name: str) -> str:
        """Give a parameter of a dataset as ICAT has it."""
        there = self.stored.get((id_, name))
        return there.value if there is not None and isinstance(there.value, str) else ""

    def called(self, id_: int) -> str:
        """Give the name by which people know a dataset."""
        return self.text(id_, NAME) or self.nodes[id_].name

    def up(self, ids: Collection[int]) -> dict[int, set[int]]:
        """Give what datasets were made from directly."""
        self.load(ids)
        links = {
            id_: self.inputs[id_] if id_ in self.inputs else numbers(self.text(id_, INPUT_IDS)) for id_ in ids
        }
        return self._existing(links)

    def down(self, ids: Collection[int]) -> dict[int, set[int]]:
        """Give what was made from datasets directly, also where ICAT's own list had to be cut."""
        self.load(ids)
        links: dict[int, set[int]] = {}
        cut: list[Node] = []
        for id_ in ids:
            text = self.text(id_, OUTPUT_IDS)
            links[id_] = set(self.outputs[id_]) if id_ in self.outputs else numbers(text)
            if id_ not in self.outputs and id_ in self.nodes and len(text) > self._longest - 20:
                cut.append(self.nodes[id_])
        if cut:
            for id_, users in self.users_of(cut, everywhere=False).items():
                links[id_] |= users
        return self._existing(links)

    def _existing(self, links: dict[int, set[int]]) -> dict[int, set[int]]:
        """Leave out what is gone from ICAT, and links of a dataset to itself."""
        self.load({one for several in links.values() for one in several})
        return {
            id_: {one for one in several if one in self.nodes and one != id_}
            for id_, several in links.items()
            if id_ in self.nodes
        }

    def _read(self, condition: str, **values: object) -> list[int]:
        rows = self._icat.wire.search_all(
            f"SELECT d.id, d.name, d.location, d.investigation.id FROM Dataset d WHERE {condition} "  # noqa: S608 - constants
            "ORDER BY d.id",
            **values,
        )
        for id_, name, location, investigation in rows:
            self.nodes[id_] = Node(id_, name, location or "", investigation)
        return [row[0] for row in rows]

    def _only(self, names: Iterable[str]) -> dict[str, ParameterType]:
        return {name: self._types[name] for name in names}


Step = Callable[[Collection[int]], dict[int, set[int]]]


class Reach:
    """Everything that can be reached in one direction; cycles end, and nothing reaches itself."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._links: dict[int, set[int]] = {}

    def of(self, starts: Iterable[int]) -> set[int]:
        """Give all that some datasets reach together, themselves left out unless a way leads back."""
        reached: set[int] = set()
        level = set(starts)
        while level:
            unknown = level - self._links.keys()
            if unknown:
                self._links |= self._step(unknown)
            level = {one for id_ in level for one in self._links.get(id_, ())} - reached
            reached |= level
        return reached


def split(text: str | None) -> list[str]:
    """Give the folders that a value of ``input_datasets`` names."""
    return [place for part in (text or "").split(",") if (place := folder(part))]


def numbers(text: str) -> set[int]:
    """Give the ids in a list of them."""
    found = map(read_integer, text.split())
    return {one for one in found if one is not None and one >= 0}


def _pattern(place: str) -> str:
    """Give a pattern that finds a folder in a list, however its slashes are spelt, and perhaps more.

    LIKE's own letters stand for any.
    """
    text = "".join("_" if letter in "%_\\" else letter for letter in place)
    return "%" + text.replace("/", "/%") + "%"
