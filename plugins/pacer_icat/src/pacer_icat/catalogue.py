"""What PACER looks up again and again in ICAT: instruments, types, investigations; cached per process.

Nothing that is missing is remembered, except unknown parameter types for a minute. What is remembered may be
gone from ICAT meanwhile: a writer that ICAT refuses calls `Catalogue.forget` and looks again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from attrs import frozen

from pacer_core import NotYet
from pacer_icat.cache import Cache
from pacer_icat.collation import fold
from pacer_icat.soap import Record
from pacer_icat.wire import Wire

_NAMES_IN_ONE_QUERY = 100


@frozen
class Investigation:
    """What is needed to choose among the visits of a proposal."""

    id: int
    name: str
    visit_id: str
    start: datetime | None
    end: datetime | None
    instruments: frozenset[int]
    """The ids of the instruments that it is linked to."""


@frozen
class ParameterType:
    """A parameter type with all that ICAT, or PACER in its place, checks of a value."""

    id: int
    name: str
    units: str
    value_type: str
    """STRING, NUMERIC or DATE_AND_TIME."""
    applicable_to: frozenset[str]
    """The entities that may have it: ``Dataset``, ``Sample``, ``Investigation``, ``Datafile``, ..."""
    enforced: bool
    minimum: float | None
    maximum: float | None
    permissible: tuple[str, ...]
    record: Record
    """As ICAT gave it, to be sent along with a value."""


class Catalogue:
    """Look-ups of one ICAT, shared by the threads of a process."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._facilities: Cache[str | None, int] = Cache()
        self._ids: Cache[tuple[int, str, str], int] = Cache()
        self._types: Cache[tuple[int, str], tuple[ParameterType, ...]] = Cache(size=16384)
        self._unknown: Cache[tuple[int, str], bool] = Cache(seconds=60.0, size=16384)
        self._investigations: Cache[str, tuple[Investigation, ...]] = Cache()
        self._names: Cache[int, str] = Cache(size=65536)
        self._owners: Cache[int, str] = Cache(size=16384)
        self._samples: Cache[tuple[int, str], int] = Cache(size=16384)

    def forget(self) -> None:
        """Look everything up anew from now on: ICAT says that something is gone."""
        for cache in (
            self._facilities,
            self._ids,
            self._types,
            self._unknown,
            self._investigations,
            self._names,
            self._owners,
            self._samples,
        ):
            cache.clear()

    # --- by name in a facility -----------------------------------------------------------------------
    # ``facility`` is an id; without it, the integration's facility is meant.

    def facility(self, name: str | None = None) -> int:
        """Give the id of a facility: the named one, else the configured one, else the only one there.

        Raises
        ------
        NotYet
            Where it is not there, or where there are several and none is configured.
        """
        name = name or self._wire.options.facility
        key = None if name is None else fold(name)
        known = self._facilities.get(key)
        if known is not None:
            return known
        if name is None:
            found = self._wire.search("SELECT f.id FROM Facility f ORDER BY f.id LIMIT 0, 2")
        else:
            found = self._wire.search("SELECT f.id FROM Facility f WHERE f.name = :name", name=name)
        if not found:
            raise NotYet("ICAT has no facility" if name is None else f"ICAT has no facility {name!r}")
        if len(found) > 1:
            raise NotYet("ICAT has several facilities: name one in the integration's 'facility'")
        return self._facilities.put(key, int(found[0]))

    def instrument(self, name: str, facility: int | None = None) -> int:
        """Give the id of an instrument by its name; `NotYet` where there is none."""
        return self._named("Instrument", name, facility)

    def investigation_type(self, name: str, facility: int | None = None) -> int:
        """Give the id of an investigation type by its name; `NotYet` where there is none."""
        return self._named("InvestigationType", name, facility)

    def dataset_type(self, name: str) -> int:
        """Give the id of a dataset type by its name; `NotYet` where there is none."""
        return self._named("DatasetType", name)

    def sample_type(self, name: str) -> int:
        """Give the id of a sample type by its name; `NotYet` where there is none.

        Of several with different molecular formulas it is the oldest.
        """
        return self._named("SampleType", name)

    def _named(self, entity: str, name: str, facility: int | None = None) -> int:
        if facility is None:
            facility = self.facility()
        key = (facility, entity, fold(name))
        known = self._ids.get(key)
        if known is None:
            found = self._wire.search(
                f"SELECT o.id FROM {entity} o "  # noqa: S608 - a name
                "WHERE o.facility.id = :facility AND o.name = :name ORDER BY o.id LIMIT 0, 1",
                facility=facility,
                name=name,
            )
            if not found:
                raise NotYet(f"ICAT has no {_words(entity)} {name!r}")
            known = self._ids.put(key, int(found[0]))
        return known

    # --- parameter types ------------------------------------------------------------------------------

    def parameter_types(
        self, names: Iterable[str], facility: int | None = None
    ) -> dict[str, tuple[ParameterType, ...]]:
        """Give the parameter types of some names, by folded name: one for each unit, none where unknown."""
        if facility is None:
            facility = self.facility()
        wanted = {fold(name): name for name in names}
        found: dict[str, tuple[ParameterType, ...]] = {}
        missing: dict[str, str] = {}
        for key, name in wanted.items():
            known = self._types.get((facility, key))
            if known is not None:
                found[key] = known
            elif not self._unknown.get((facility, key)):
                missing[key] = name
        keys = sorted(missing)
        for start in range(0, len(keys), _NAMES_IN_ONE_QUERY):
            part = keys[start : start + _NAMES_IN_ONE_QUERY]
            asked: dict[str, list[ParameterType]] = {key: [] for key in part}
            for record in self._wire.search(
                "SELECT p FROM ParameterType p WHERE p.facility.id = :facility AND p.name IN (:names) "
                "ORDER BY p.id INCLUDE p.permissibleStringValues",
                facility=facility,
                names=[missing[key] for key in part],
            ):
                asked.setdefault(fold(record["name"]), []).append(_parameter_type(record))
            for key, types in asked.items():
                if types:
                    found[key] = self._types.put((facility, key), tuple(types))
                else:
                    self._unknown.put((facility, key), True)
        return found

    # --- investigations and what is below them --------------------------------------------------------

    def investigations(self, name: str, *, anew: bool = False) -> tuple[Investigation, ...]:
        """Give all visits of a proposal; ``anew`` past what is remembered."""
        key = fold(name)
        known = None if anew else self._investigations.get(key)
        if known is None:
            known = self._read(
                "o.facility.id = :facility AND o.name = :name", facility=self.facility(), name=name
            )
            if known:
                self._investigations.put(key, known)
        return known

    def forget_investigations(self, name: str) -> None:
        """Read the visits of a proposal anew from now on: one of them has changed."""
        self._investigations.drop(fold(name))

    def investigation(self, id: int) -> Investigation | None:  # noqa: A002 - ICAT's word
        """Give an investigation by its id, or ``None``."""
        name = self.investigation_name(id)
        if name is None:
            return None
        for anew in (False, True):
            for one in self.investigations(name, anew=anew):
                if one.id == id:
                    return one
        return next(iter(self._read("o.id = :id", id=id)), None)

    def investigation_name(self, id: int) -> str | None:  # noqa: A002 - ICAT's word
        """Give the name of an investigation, or ``None`` where there is none of that id."""
        known = self._names.get(id)
        if known is None:
            found = self._wire.search("SELECT o.name FROM Investigation o WHERE o.id = :id", id=id)
            if not found:
                return None
            known = self._names.put(id, str(found[0]))
        return known

    def investigation_of_dataset(self, id: int) -> str | None:  # noqa: A002 - ICAT's word
        """Give the name of a dataset's investigation, or ``None`` where there is no such dataset."""
        known = self._owners.get(id)
        if known is None:
            found = self._wire.search("SELECT o.investigation.name FROM Dataset o WHERE o.id = :id", id=id)
            if not found:
                return None
            known = self._owners.put(id, str(found[0]))
        return known

    def _read(self, condition: str, **values: Any) -> tuple[Investigation, ...]:
        return tuple(
            Investigation(
                id=record.id,
                name=record["name"],
                visit_id=record["visitId"],
                start=record["startDate"],
                end=record["endDate"],
                instruments=frozenset(
                    link.related("instrument").id for link in record["investigationInstruments"] or ()
                ),
            )
            for record in self._wire.search(
                f"SELECT o FROM Investigation o WHERE {condition} ORDER BY o.id "  # noqa: S608 - constants
                "INCLUDE o.investigationInstruments AS link, link.instrument",
                **values,
            )
        )

    def sample(self, investigation: int, name: str) -> int | None:
        """Give the id of a sample if it was seen before; asks ICAT nothing."""
        return self._samples.get((investigation, fold(name)))

    def remember_sample(self, investigation: int, name: str, id: int) -> int:  # noqa: A002 - ICAT's word
        """Remember the id of a sample; give it back."""
        return self._samples.put((investigation, fold(name)), id)


def _parameter_type(record: Record) -> ParameterType:
    prefix = "applicableTo"
    return ParameterType(
        id=record.id,
        name=record["name"],
        units=(record["units"] or "").strip(),
        value_type=record["valueType"],
        applicable_to=frozenset(
            name.removeprefix(prefix)
            for name, value in record.values.items()
            if name.startswith(prefix) and value is True
        ),
        enforced=record["enforced"] is True,
        minimum=record["minimumNumericValue"],
        maximum=record["maximumNumericValue"],
        permissible=tuple(one["value"] for one in record["permissibleStringValues"] or ()),
        record=record,
    )


def _words(entity: str) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in entity).strip()
