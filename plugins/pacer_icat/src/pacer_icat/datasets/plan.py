"""A dataset message, checked and looked up: all that it means in ICAT, before anything is written."""

from __future__ import annotations

import logging
import posixpath
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

from attrs import evolve, frozen

from pacer_core import BadField, NotYet, Reject, Text
from pacer_icat import parameters
from pacer_icat.catalogue import Investigation
from pacer_icat.checks import Lookups, too_long
from pacer_icat.client import Shared
from pacer_icat.collation import fold
from pacer_icat.datasets.message import Datafile, Dataset
from pacer_icat.datasets.options import DatasetsOptions
from pacer_icat.datasets.paths import Checksums, Details, details_of, on_disk, path_of
from pacer_icat.disk import FileRefusedError, Roots
from pacer_icat.parameters import Parameter
from pacer_icat.periods import check_dates, kept_period
from pacer_icat.spellings import folder
from pacer_icat.times import local

log = logging.getLogger("pacer.icat.datasets")

INPUTS = "input_datasets"
"""The parameter that makes a dataset a processed one."""
SEQUENCE = "Process_sequence_index"
"""The parameter that tells one processing of the same data from the next."""


@frozen
class File:
    """One file as it will stand in ICAT."""

    name: str
    location: str
    size: int | None
    path: str
    """Where it is on this machine, if it is."""
    details: Details | None = None
    checksum: str | None = None


@frozen
class Plan:
    """What a dataset message asks of ICAT."""

    name: str
    suffixed: str
    """The name that it gets where another dataset has the plain one."""
    location: str
    start: datetime
    end: datetime
    investigation: int
    instrument: int
    type: int
    processed: bool
    sample_name: str
    sample_type: int | None
    parameters: tuple[Parameter, ...]
    files: tuple[File, ...]
    checksums: Checksums | None
    """How files get their checksums."""
    unknown: int
    """How many parameters are left out, since ICAT has no type for them."""

    @property
    def sequence(self) -> Parameter | None:
        """The parameter with the number of the processing, where the message has one."""
        return next((one for one in self.parameters if fold(one.type.name) == fold(SEQUENCE)), None)


def plan(message: Dataset, options: DatasetsOptions, icat: Shared) -> Plan:
    """Check a message and look up what it names.

    Raises
    ------
    Reject
        With every bad field.
    NotYet
        Naming everything that is not in ICAT.
    """
    zone = icat.zone
    message, bad = on_disk(_spelt(message), options)
    bad += _check(message, options, icat)
    types = icat.catalogue.parameter_types(one.name for one in message.parameters)
    checked = parameters.check(message.parameters, types, owner="Dataset", schema=icat.wire.schema, zone=zone)
    bad += checked.bad
    if options.unknown_parameters == "reject":
        bad += checked.unknown_as_bad()
    parameters.log_empty(checked, f"dataset {message.name}")
    if checked.unknown and options.unknown_parameters != "reject":
        log.info(
            "dataset %s: parameters without a type in ICAT are left out (%d): %s",
            message.name,
            len(checked.unknown),
            ", ".join(name for _, name in checked.unknown[:20]),
        )
    files = name_files(message.datafiles, message.location)
    checksums = checksums_of(options)
    files, refused = look_at(files, checksums, options)
    named = {one.path for one in bad}
    bad += [one for one in refused if one.path not in named]
    bad += check_files(files, icat)
    if bad:
        raise Reject("the dataset has bad fields", fields=bad)
    start, end = kept_period(message.start_date, message.end_date, zone, f"dataset {message.name}")
    processed = any(fold(one.name) == fold(INPUTS) and one.value is not None for one in message.parameters)
    catalogue = icat.catalogue
    lookups = Lookups()
    look = lookups.find
    instrument = look(lambda: catalogue.instrument(message.instrument))
    kind = options.processed_type if processed else options.raw_type
    type_ = look(lambda: catalogue.dataset_type(kind))
    sample_type = message.sample.type
    sample_type_id = None if sample_type is None else look(lambda: catalogue.sample_type(sample_type))
    investigation = look(lambda: find_investigation(message, instrument, start, end, icat).id)
    lookups.check()
    return Plan(
        name=message.name,
        suffixed=f"{message.name} [{local(start, zone):%d/%m/%Y %H:%M:%S}]",
        location=message.location,
        start=start,
        end=end,
        investigation=investigation,
        instrument=instrument,
        type=type_,
        processed=processed,
        sample_name=message.sample.name,
        sample_type=sample_type_id,
        parameters=checked.good,
        files=files,
        checksums=checksums,
        unknown=len(checked.unknown),
    )


def _spelt(message: Dataset) -> Dataset:
    """Give a message with its paths in their normal form."""
    files = tuple(evolve(one, location=Text(folder(one.location))) for one in message.datafiles)
    return evolve(message, location=Text(folder(message.location)), datafiles=files)


def find_investigation(
    message: Dataset, instrument: int, start: datetime, end: datetime, icat: Shared
) -> Investigation:
    """Choose the investigation that a dataset belongs to.

    By its id, or by its name among the visits that use the instrument; of several the one whose dates hold
    the dataset's, taking an end at midnight for the whole day where that decides.

    Raises
    ------
    NotYet
        Where there is none, or none yet with this instrument or these dates.
    Reject
        Where several visits are left.
    """
    if message.investigation_id is not None:
        found = icat.catalogue.investigation(message.investigation_id)
        if found is None:
            raise NotYet(f"ICAT has no investigation with id {message.investigation_id}")
        return found
    name = message.investigation or ""
    choice: Investigation | str = ""
    for anew in (False, True):
        choice = choose(icat.catalogue.investigations(name, anew=anew), instrument, start, end, icat.zone)
        if isinstance(choice, Investigation):
            return choice
        if choice == _SEVERAL:
            break
    if choice == _SEVERAL:
        raise Reject(
            "the dataset has bad fields",
            fields=[
                BadField(
                    "investigation",
                    "has several visits that fit: send investigation_id",
                )
            ],
        )
    raise NotYet(f"investigation {name!r} {choice}")


_SEVERAL = "several"


def choose(
    visits: Sequence[Investigation], instrument: int, start: datetime, end: datetime, zone: tzinfo | None
) -> Investigation | str:
    """Choose a visit, or say why there is none to choose."""
    if not visits:
        return "is not in ICAT"
    visits = [one for one in visits if instrument in one.instruments or not instrument]
    if not visits:
        return "is not linked to the instrument"
    if len(visits) == 1:
        return visits[0]
    for whole_day in (False, True):
        fitting = [one for one in visits if _holds(one, start, end, zone, whole_day=whole_day)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            return _SEVERAL
    return "has no visit of these dates in ICAT"


def _holds(
    one: Investigation, start: datetime, end: datetime, zone: tzinfo | None, *, whole_day: bool
) -> bool:
    last = one.end
    if whole_day and last is not None:
        by_clock = local(last, zone)
        if (by_clock.hour, by_clock.minute, by_clock.second) == (0, 0, 0):
            last += timedelta(days=1)
    return (one.start is None or one.start <= start) and (last is None or end <= last)


def name_files(datafiles: Sequence[Datafile], home: str) -> tuple[File, ...]:
    """Give each file its name: the last part of its path, or what is below the folder where two share it."""
    names = [posixpath.basename(one.location.rstrip("/")) or one.location for one in datafiles]
    shared = Counter(map(fold, names))
    prefix = f"{home.rstrip('/')}/"
    return tuple(
        File(
            name=name if shared[fold(name)] == 1 else one.location.removeprefix(prefix).lstrip("/"),
            location=one.location,
            size=one.size,
            path=path_of(one.location, home),
        )
        for name, one in zip(names, datafiles, strict=True)
    )


def checksums_of(options: DatasetsOptions) -> Checksums | None:
    """Give how files get their checksums, where options ask for them."""
    return None if options.checksums is None else Checksums(options.checksums, Roots(options.allowed_roots))


def look_at(
    files: Sequence[File], checksums: Checksums | None, options: DatasetsOptions
) -> tuple[tuple[File, ...], list[BadField]]:
    """Give files with what the disk says of them, where that is wanted, and those that may not be read.

    A size of the message prevails. What is no regular file has neither size nor times, and no checksum: that
    is asked before anything is stored.
    """
    if not options.stat_files and checksums is None:
        return tuple(files), []
    roots = Roots(options.allowed_roots) if checksums is None else checksums.roots
    looked: list[File] = []
    bad: list[BadField] = []
    for place, file in enumerate(files):
        details = None
        try:
            details = details_of(file.path, roots)
        except FileRefusedError as error:
            if checksums is not None:
                bad.append(BadField(f"datafiles[{place}].location", f"may not be read: it is {error}"))
        if options.stat_files and details is not None:
            file = evolve(file, size=details.size if file.size is None else file.size, details=details)
        looked.append(file)
    return tuple(looked), bad


def _check(message: Dataset, options: DatasetsOptions, icat: Shared) -> list[BadField]:
    bad = []
    if message.investigation is None and message.investigation_id is None:
        bad.append(BadField("investigation", "is missing, and so is investigation_id"))
    bad += too_long(
        [
            ("name", "Dataset", "name", message.name),
            ("location", "Dataset", "location", message.location),
            ("sample.name", "Sample", "name", message.sample.name),
        ],
        icat.wire.schema,
    )
    bad += check_dates(message.start_date, message.end_date)
    if options.require_sample_type and message.sample.type is None:
        bad.append(BadField("sample.type", "is missing"))
    if options.require_datafiles and not message.datafiles:
        bad.append(BadField("datafiles", "are missing"))
    if len(message.datafiles) > options.max_datafiles:
        bad.append(
            BadField(
                "datafiles", f"are {len(message.datafiles)}, more than the {options.max_datafiles} accepted"
            )
        )
    return bad


def check_files(files: Sequence[File], icat: Shared) -> list[BadField]:
    """Give what ICAT would not take of a dataset's files: lengths, sizes, names that clash."""
    bad = []
    schema = icat.wire.schema
    longest_name, longest_location = schema.length("Datafile", "name"), schema.length("Datafile", "location")
    locations: dict[str, int] = {}
    names: dict[str, int] = {}
    for place, file in enumerate(files):
        where = f"datafiles[{place}]"
        first = locations.setdefault(file.location, place)
        if first != place:
            bad.append(BadField(f"{where}.location", f"is given more than once: see datafiles[{first}]"))
            continue
        first = names.setdefault(fold(file.name), place)
        if first != place:
            bad.append(
                BadField(
                    f"{where}.location",
                    f"has for ICAT the same name as datafiles[{first}]",
                )
            )
        if longest_location is not None and len(file.location) > longest_location:
            bad.append(BadField(f"{where}.location", f"is longer than {longest_location} characters"))
        elif longest_name is not None and len(file.name) > longest_name:
            bad.append(BadField(f"{where}.location", f"has a name longer than {longest_name} characters"))
        if file.size is not None and not 0 <= file.size < 2**63:
            bad.append(BadField(f"{where}.size", "is no number of bytes"))
    return bad
