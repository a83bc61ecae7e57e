"""``ingestionSettings:``, which are options of consumers and of integrations now."""

from __future__ import annotations

from attrs import define, evolve, field

from pacer_migrate.rules import Work
from pacer_migrate.tree import Branch, Entry, Scalar, comments, plain, scalar

NOT_NEEDED = {
    "acceptXMLPayloads": "XML is read wherever it comes",
    "xmlNamespacesTransform": "XML is read in whatever namespace",
    "checkAllowedLocationPaths": "paths are checked where 'allowedRoots' names folders",
    "internalDatasetExchangeName": "there is no internal queue of datasets",
    "internalDatasetRoutingKey": "there is no internal queue of datasets",
    "internalStatisticsRoutingKey": "'datasets' sends to the queue of the consumer 'dataset-statistics'",
    "internalDatasetLinksRoutingKey": "'datasets' sends to the queue of the consumer 'dataset-links'",
    "datasetIndexingRoutingKey": "tasks of the consumers that name 'elastic' index datasets",
    "indexDatasetsElastic": "tasks of the consumers that name 'elastic' index datasets",
}
LACKING = {
    "storeParametersValuesAlsoAsString": "a value is stored in the column of its type alone",
    "acceptXMLPayloads": "XML is read wherever it comes, and cannot be switched off",
}
"""What somebody might miss who has switched it on, or off."""


@define
class Settings:
    """The settings that nobody has taken yet, and those that somebody has."""

    branch: Branch = field(factory=Branch)
    taken: dict[tuple[str, ...], Entry] = field(factory=dict)

    def take(self, name: str, *path: str) -> Entry | None:
        """Give a setting under another name; its comments go to the first who takes it."""
        if path in self.taken:
            return evolve(self.taken[path], key=name, above=[], beside="")
        inside: Branch = self.branch
        for key in path[:-1]:
            found = inside.get(key)
            if found is None or not isinstance(found.value, Branch):
                return None
            inside = found.value
        entry = inside.pop(path[-1])
        if entry is None or plain(entry.value) in (None, []):
            if entry is not None:
                inside.entries.append(entry)
            return None
        self.taken[path] = entry
        return evolve(entry, key=name)


def moved(settings: Settings, work: Work, name: str, *path: str, default: object = None) -> list[Entry]:
    """Give a setting as an option of that name, or as it is by ICAT-PACER's default where ours is another."""
    first = path not in settings.taken
    entry = settings.take(name, *path)
    old = ".".join(path)
    if entry is not None:
        if first:
            work.changed(entry.line, f"ingestionSettings.{old} is an option now: {name}")
        return [entry]
    if default is None:
        return []
    work.changed(0, f"{name}: {scalar(default).text} is written out: it is ICAT-PACER's default, not PACER's")
    return [Entry(name, scalar(default))]


def left(settings: Settings, work: Work) -> list[str]:
    """Give what stands where the settings were: comments about those that nobody has taken."""
    return list(_left(settings.branch, work, "ingestionSettings."))


def _left(branch: Branch, work: Work, what: str) -> list[str]:
    told: list[str] = []
    for entry in branch.entries:
        if isinstance(entry.value, Branch) and not entry.value.is_list and entry.key not in NOT_NEEDED:
            told += [*entry.above, *([entry.beside] if entry.beside else [])]
            told += _left(entry.value, work, f"{what}{entry.key}.")
            continue
        why = _why(entry)
        work.left_out(entry.line, f"{what}{entry.key}: {why}")
        others = comments(entry)[len(entry.above) :]
        told += [*entry.above, f"# left out: {what}{entry.key}: {why}", *others]
    return [*told, *branch.tail]


def _why(entry: Entry) -> str:
    value = plain(entry.value) if isinstance(entry.value, Scalar) else None
    if entry.key in LACKING and value is (entry.key != "acceptXMLPayloads"):
        return LACKING[entry.key]
    if value is None and isinstance(entry.value, Scalar):
        return "is empty"
    if entry.key in LACKING and entry.key not in NOT_NEEDED:
        return "is as PACER does it"
    return NOT_NEEDED.get(entry.key, "nothing in this file uses it")
