"""What `pacer doctor` looks at in an ICAT: facility, types, instruments, rights, and who counts files.

Nothing is stored: whether something may be created is asked with ``isAccessAllowed``, which ICAT answers by
trying it in a transaction that it takes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from pacer_core import NotYet, Seen, Use
from pacer_icat import kept
from pacer_icat.client import IcatClient, Shared
from pacer_icat.faults import IcatFault
from pacer_icat.filecounts import NO_TRIGGERS
from pacer_icat.links.graph import LISTS, WALKED
from pacer_icat.rights import NEEDED
from pacer_icat.soap import Bean, ref
from pacer_icat.totals import count
from pacer_icat.totals.count import Total, Totals
from pacer_icat.wire import parameter_type

_LETTERS = {"C": "create", "U": "update", "D": "delete"}
_AMONG = 10


def examine(client: IcatClient, uses: Sequence[Use]) -> Iterator[Seen]:
    """Look at all that the integration's options and the consumers that use it name, and at their rights."""
    icat = client.shared
    try:
        facility = icat.catalogue.facility()
    except NotYet as missing:
        yield _facility(missing.reason, icat)
    else:
        (name,) = icat.wire.search("SELECT f.name FROM Facility f WHERE f.id = :id", id=facility)
        yield Seen(f"facility {name!r}")
        yield from _types(facility, uses, icat)
    yield from _rights(uses, icat)
    yield from _counts(uses, icat)


def _facility(reason: str, icat: Shared) -> Seen:
    there = icat.wire.search("SELECT f.name FROM Facility f ORDER BY f.name LIMIT 0, 10")
    if not there:
        return Seen(
            "ICAT shows no facility",
            "create the facility in ICAT, or give the account the right to read Facility",
        )
    names = ", ".join(map(repr, there))
    return Seen(f"{reason}; it has {names}", "correct 'facility', or leave it out where ICAT has only one")


# --- what has to be there --------------------------------------------------------------------------------


def _types(facility: int, uses: Sequence[Use], icat: Shared) -> Iterator[Seen]:
    """Look for what messages cannot do without, and for all that options name."""
    wanted: dict[str, set[str]] = {}
    parameters: dict[tuple[str, str], list[str]] = {}
    for use in uses:
        options = use.options
        if use.type == "datasets":
            wanted.setdefault("DatasetType", set()).update((options.raw_type, options.processed_type))
            wanted.setdefault("Instrument", set())
            if options.require_sample_type:
                wanted.setdefault("SampleType", set())
        elif use.type == "investigations":
            wanted.setdefault("InvestigationType", set())
            wanted.setdefault("Instrument", set())
        for owner, names in _parameters(use):
            parameters[use.consumer, owner] = names
    for entity, some in wanted.items():
        yield from _named(entity, some, facility, icat)
    for (consumer, owner), written in parameters.items():
        try:
            kept.types_for(owner, written, icat)
        except NotYet as missing:
            yield Seen(
                f"{missing.reason} (for the consumer {consumer})",
                f"create these parameter types in ICAT, applicable to a {owner}",
            )


def _named(entity: str, names: Iterable[str], facility: int, icat: Shared) -> Iterator[Seen]:
    """Look for objects of a facility by name, or where none is named, for any."""
    what = f"o FROM {entity} o WHERE o.facility.id = :facility"
    (number,) = icat.wire.search(f"SELECT COUNT(o) {what[2:]}", facility=facility) or [0]
    if not number:
        yield Seen(
            f"ICAT shows no {entity}",
            f"create what messages name in ICAT, or give the account the right to read {entity}",
        )
        return
    find = icat.catalogue.dataset_type if entity == "DatasetType" else None
    missing = []
    for name in sorted(names):
        try:
            if find is not None:
                find(name)
        except NotYet:
            missing.append(name)
    if missing:
        there = icat.wire.search(
            f"SELECT o.name {what[2:]} ORDER BY o.name LIMIT 0, {_AMONG}", facility=facility
        )
        yield Seen(
            f"ICAT has no {entity} {', '.join(map(repr, missing))}; it has {', '.join(map(repr, there))}",
            "create it in ICAT, or correct rawType and processedType of the consumer of datasets",
        )


def _parameters(use: Use) -> Iterator[tuple[str, list[str]]]:
    """Give the parameter types that a consumer writes, by whom they are of."""
    options = use.options
    if use.type == "dataset-links":
        yield "Dataset", [*WALKED, *LISTS]
    elif use.type == "dataset-statistics":
        nothing = Total()
        totals = list(count.parameters(Totals(nothing, nothing, nothing)))
        yield "Dataset", ["datasetName", "__fileCount", "__volume", "__elapsedTime"]
        yield "Sample", totals
        yield "Investigation", [*totals, "__sampleCount", "__elapsedTime"]
    elif use.type == "archive-status" and options.parameter is not None:
        yield "Dataset", [options.parameter]


# --- rights ----------------------------------------------------------------------------------------------


def _rights(uses: Sequence[Use], icat: Shared) -> Iterator[Seen]:
    """Try what the consumers do, on the newest objects that the account sees."""
    needed: dict[str, dict[str, set[str]]] = {}
    for use in uses:
        for entity, letters in NEEDED.get(use.type, {}).items():
            if icat.wire.schema.has("Dataset", "datasetInstruments") or entity != "DatasetInstrument":
                for letter in letters:
                    needed.setdefault(entity, {}).setdefault(letter, set()).add(use.consumer)
    lacking = [
        (entity, _LETTERS[letter], consumers)
        for entity, letters in needed.items()
        for letter, consumers in letters.items()
        if letter in _LETTERS and not _may(letter, entity, icat)
    ]
    if lacking:
        whom = sorted({one for _, _, consumers in lacking for one in consumers})
        yield Seen(
            f"the account may not {', '.join(f'{what} {entity}' for entity, what, _ in lacking)} "
            f"(needed by {', '.join(whom)})",
            "give the account these rights by rules in ICAT",
        )


def _may(letter: str, entity: str, icat: Shared) -> bool:
    """Tell whether the account has a right, as far as that can be tried; else that it has."""
    if letter == "C":
        bean = _new(entity, icat)
    else:
        newest = _newest(entity, icat)
        bean = None if newest is None else ref(entity, newest)
    if bean is None:
        return True
    try:
        (answer,) = icat.wire.call(
            "isAccessAllowed", [("bean", bean), ("accessType", "CREATE" if letter == "C" else _WORDS[letter])]
        )
    except IcatFault as fault:
        return fault.type != "INSUFFICIENT_PRIVILEGES"  # anything else is about what was tried
    return (answer.text or "").strip() == "true"


_WORDS = {"U": "UPDATE", "D": "DELETE"}


def _newest(entity: str, icat: Shared) -> int | None:
    found = icat.wire.search(f"SELECT o.id FROM {entity} o ORDER BY o.id DESC LIMIT 0, 1")  # noqa: S608 - a name
    return found[0] if found else None


def _new(entity: str, icat: Shared) -> Bean | None:
    """Give an object that could be created, or ``None`` where there is nothing that it could refer to."""
    values: dict[str, Any] = {}
    for field in icat.wire.schema.entity(entity).fields:
        if field.name in ("id", "createId", "createTime", "modId", "modTime") or not field.required:
            continue
        if field.relation == "ONE":
            newest = _newest(field.type, icat)
            if newest is None:
                return None
            values[field.name] = ref(field.type, newest)
        elif field.relation == "ATTRIBUTE":
            value = _VALUES.get(field.type)
            if value is None:
                return None
            values[field.name] = value()
    if entity.endswith("Parameter"):
        return _parameter(entity, values, icat)
    return Bean(entity, values)


_VALUES: dict[str, Any] = {
    "String": lambda: f"pacer-doctor-{uuid4().hex[:12]}",
    "boolean": lambda: False,
    "Date": lambda: datetime.now(UTC).replace(microsecond=0),
}


def _parameter(entity: str, values: dict[str, Any], icat: Shared) -> Bean | None:
    """Give a parameter of a type that takes any number or text."""
    owner = entity.removesuffix("Parameter")
    found = icat.wire.search(
        f"SELECT p FROM ParameterType p WHERE p.applicableTo{owner} = TRUE AND p.enforced = FALSE "  # noqa: S608 - a name
        "AND p.valueType <> org.icatproject.ParameterValueType.DATE_AND_TIME ORDER BY p.id DESC LIMIT 0, 1"
    )
    if not found:
        return None
    kind = found[0]
    given = {"numericValue": 0.0} if kind["valueType"] == "NUMERIC" else {"stringValue": "pacer-doctor"}
    return Bean(entity, {**values, "type": parameter_type(kind), **given})


# --- counts of files -------------------------------------------------------------------------------------


def _counts(uses: Sequence[Use], icat: Shared) -> Iterator[Seen]:
    """Look at the newest dataset with files, which tells whether anybody has counted them."""
    if not {use.type for use in uses} & {"datasets", "dataset-files", "dataset-statistics"}:
        return
    if not icat.wire.schema.has("Dataset", "fileCount"):
        return
    option = icat.options.file_counts
    rows = icat.wire.search(
        "SELECT f.dataset.id, f.dataset.fileCount FROM Datafile f ORDER BY f.id DESC LIMIT 0, 1"
    )
    if not rows:
        known = "whether its database keeps fileCount shows with the first one that PACER stores"
        yield Seen(f"no dataset has files yet: {known}" if option == "auto" else f"fileCounts: {option}")
        return
    dataset, counted = rows[0]
    files, _ = count.files_of(dataset, icat)
    if counted == files:
        yield Seen(f"fileCount is right for the newest dataset with files, {dataset}")
        return
    seen = f"dataset {dataset} has {files} files and a fileCount of {counted}"
    if option != "auto":
        yield Seen(
            f"{seen}, with 'fileCounts: {option}'",
            "leave 'fileCounts' out: PACER then finds out whether ICAT's database has triggers for it",
        )
    elif counted:
        yield Seen(f"{seen}: its next statistics correct it")
    else:
        yield Seen(f"{NO_TRIGGERS}, as dataset {dataset} shows: PACER writes them")
