"""``consumers:``: classes become types, and what was in ``ingestionSettings`` their options."""

from __future__ import annotations

import re

from attrs import frozen

from pacer_core import UnknownConsumer
from pacer_migrate.old import INTERNAL, TYPES, UNREAD, Old, own
from pacer_migrate.rules import Rule, Silent, Work, gone, keep, named, reshaped
from pacer_migrate.settings import Settings, moved
from pacer_migrate.tree import Branch, Entry, Node, node, plain, scalar

_THREADS = 8
"""Threads of a consumer, where nothing is said."""
_INDEXING = ("datasets", "dataset-links", "dataset-statistics", "investigation-operations", "dataset-index")


@frozen
class Consumers:
    """What is needed to write them anew."""

    old: Old
    settings: Settings
    work: Work

    def section(self, entry: Entry) -> list[Entry] | str:
        """Give the section; what has no counterpart leaves its comments, and a word about why."""
        if not isinstance(entry.value, Branch) or not entry.value.is_list:
            return [entry]
        kept = Branch(is_list=True)
        waiting: list[str] = []
        types: list[str] = []
        for item in entry.value.entries:
            made = self._one(item, types)
            if isinstance(made, str):
                name = str(plain(item.value)["className"])
                waiting += gone(item, made, name)
                self.work.left_out(item.line, f"{name}: {made}")
                continue
            made.above = [*waiting, *made.above]
            waiting = []
            kept.entries.append(made)
        kept.tail = [*waiting, *entry.value.tail]
        entry.value = kept
        return [entry]

    def _one(self, item: Entry, types: list[str]) -> Entry | str:
        if not isinstance(item.value, Branch) or item.value.is_list:
            self.work.to_do(item.line, "a consumer should be a mapping")
            return item
        data = plain(item.value)
        name = own(data.get("className"), data.get("module"))
        if name in UNREAD:
            if name == INTERNAL and not self.old.reads("DatasetsConsumer"):
                self.work.to_do(item.line, f"{name} is done where DatasetsConsumer is: name its ends there")
            return UNREAD[name]
        type_ = TYPES.get(name) or self._foreign(item, data.get("className"), data.get("module"))
        if name and data.get("module") not in (None, *_modules(name)):
            self.work.changed(item.line, f"{name} is not in {data['module']}; its class says what it is")
        keyed = bool(name) and type_ != "dataset-index"
        rules: dict[str, Rule] = {
            "className": lambda entry: [_typed(entry, type_), *self._named(type_, types, data)],
            "module": lambda _: [],
            "enabled": keep,
            "workers": self._workers(keyed),
            "queues": self._listed,
            "integrations": lambda entry: self._integrations(entry, name, type_),
        }
        item.value = reshaped(item.value, rules, self.work, f"{data.get('className')}: ")
        options = self._options(type_, data)
        if options:
            item.value.entries.append(Entry("options", Branch(options)))
        item.value.entries += self._more(type_, data, foreign=not name)
        item.value.entries.sort(key=lambda one: one.key != "type")  # the rest stays in its order
        item.value.flow = item.value.flow and len(item.value.entries) == len(data)
        return item

    def _foreign(self, item: Entry, class_name: object, module: object) -> str:
        """Give the name of a type for a class of the facility's own."""
        bare = re.sub(r"Consumer$", "", str(class_name or "unnamed")) or "unnamed"
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", "-", bare).lower()
        type_ = re.sub(r"[^a-z0-9-]+", "-", words).strip("-") or "unnamed"
        if type_ in TYPES.values():
            type_ = f"{re.sub(r'[^a-z0-9]+', '-', str(module).partition('.')[0].lower())}-{type_}"
        was = f"{class_name} of {module}"
        self.work.unknown.append(UnknownConsumer(type_, was))
        self.work.to_do(item.line, f"{was} is none of ICAT-PACER's own: {type_!r} needs a plugin")
        item.above = [*item.above, f"# {was}: a plugin has to bring the type {type_!r}"]
        return type_

    def _named(self, type_: str, types: list[str], data: dict[str, object]) -> list[Entry]:
        """Give a name where another consumer has this type already."""
        types.append(type_)
        if types.count(type_) == 1:
            return []
        queues = data.get("queues")
        first = queues[0] if isinstance(queues, list) and queues else types.count(type_)
        return [Entry("name", scalar(f"{type_}-{first}"))]

    def _workers(self, keyed: bool) -> Rule:
        def rule(entry: Entry) -> list[Entry] | str:
            number = plain(entry.value)
            if not keyed or not isinstance(number, int) or isinstance(number, bool) or number < 1:
                return [entry]
            if number <= _THREADS:
                return Silent(
                    f"one process with {_THREADS} threads handles them, one writer per investigation"
                )
            return named("concurrency")(entry)

        return rule

    def _listed(self, entry: Entry) -> list[Entry]:
        if isinstance(entry.value, Branch):
            return [entry]
        self.work.changed(entry.line, f"{entry.key} is a list")
        return [Entry(entry.key, node([plain(entry.value)]), entry.line, entry.above, entry.beside)]

    def _integrations(self, entry: Entry, name: str, type_: str) -> list[Entry] | str:
        (entry,) = self._listed(entry)
        assert isinstance(entry.value, Branch)  # noqa: S101 - made one above
        names = [str(plain(one.value)) for one in entry.value.entries]
        kept = [one for one in names if self._stays(one, entry.line)]
        if name == "DatasetsConsumer":
            more = [one for internal in self.old.reads(INTERNAL) for one in internal.integrations]
            kept += [one for one in more if one == "icatPlus" and self.old.enabled(one) and one not in kept]
        if self.old.index and type_ in _INDEXING and "elastic" not in kept and "icat" in kept:
            kept.append("elastic")
            self.work.changed(entry.line, f"{type_} names elastic: its own task indexes datasets now")
        if kept == names:
            return [entry]
        inside = [one for item in entry.value.entries for one in (*item.above, item.beside) if one]
        above = [*entry.above, *inside, *entry.value.tail]
        return [Entry("integrations", node(list(dict.fromkeys(kept))), entry.line, above, entry.beside)]

    def _stays(self, name: str, line: int) -> bool:
        if name == "messageForwarding":
            self.work.left_out(line, "messageForwarding: forwarding rules hold for every consumer")
            return False
        if isinstance(self.old.at("integrations", name), dict) and not self.old.enabled(name):
            self.work.left_out(line, f"{name}: it is switched off under integrations")
            return False
        return True

    def _options(self, type_: str, data: dict[str, object]) -> list[Entry]:
        def option(name: str, *path: str, default: object = None) -> list[Entry]:
            return moved(self.settings, self.work, name, *path, default=default)

        industrial = ("investigation", "defaultIndustrialInvestigationTypeName")
        if type_ == "datasets":
            files = self.old.setting("dataset", "automaticDatasetLocationIndex") is True
            rooted = self.old.setting("dataset", "checkAllowedLocationPaths") is True
            return [
                *option("requireSampleType", "dataset", "mandatorySampleType", default=True),
                *option("listFiles", "dataset", "automaticDatasetLocationIndex"),
                *([] if files else [Entry("requireDatafiles", scalar(True))]),
                *option("maxDatafiles", "dataset", "maxDatafilesPerDataset"),
                *option("mustExist", "dataset", "mandatoryPathsExistence", default=True),
                *(option("allowedRoots", "dataset", "allowedRootLocationPaths") if rooted else ()),
                Entry("statFiles", scalar(True)),
            ]
        if type_ == "investigations":
            years = option("embargoYears", "investigation", "defaultEmbargoYears")
            if years and plain(years[0].value) != 3:
                self.work.changed(
                    years[0].line, "defaultEmbargoYears counts: ICAT-PACER's took 3 whatever it said"
                )
            return [*years, *option("industrialType", *industrial)]
        return option("industrialType", *industrial) if type_ == "investigation-operations" else []

    def _more(self, type_: str, data: dict[str, object], *, foreign: bool) -> list[Entry]:
        made: list[Entry] = []
        integrations = data.get("integrations")
        names = integrations if isinstance(integrations, list) else [integrations]
        years = self.old.setting("investigation", "defaultEmbargoYears")
        if (
            type_ == "investigations"
            and "visa" in names
            and self.old.enabled("visa")
            and years not in (None, 3)
        ):
            made.append(
                Entry("taskOptions", node({"sync_visa_proposal": {"embargoYears": years}}, flow=True))
            )
        retries = moved(self.settings, self.work, "limit", "messageProcessingRetries")
        if retries:
            (limit,) = retries
            above = [*limit.above, *([limit.beside] if limit.beside else [])]
            policy: Node = node({"limit": plain(limit.value), "delay": "1min"}, flow=True)
            made.append(Entry("retries", policy, limit.line, above))
        return made


def _typed(entry: Entry, type_: str) -> Entry:
    entry.key, entry.value = "type", scalar(type_)
    return entry


def _modules(name: str) -> tuple[str, ...]:
    """Give the modules in which ICAT-PACER has a class."""
    module = {
        "UsersConsumer": "users",
        "InvestigationConsumer": "investigations",
        "InvestigationOperationsConsumer": "investigation_ops",
        "DatasetsConsumer": "datasets",
        INTERNAL: "datasets_internal",
        "InternalStatisticsConsumer": "internal_statistics",
        "InternalDatasetsLinksConsumer": "internal_dataset_links",
        "DatasetIndexerConsumer": "dataset_indexing",
        "DeadLettersConsumer": "dead_letters",
    }[name]
    return (f"consumers.{module}", f"pacer.consumers.{module}")
