"""``dataset-metadata``: one parameter, set on the datasets in some folders."""

from __future__ import annotations

from typing import Any, Literal

from attrs import frozen

from pacer_core import BadField, ConsumerType, Context, NotYet, Planned, Reject, Scalar, Text, Texts, task
from pacer_icat import kept, parameters
from pacer_icat.catalogue import ParameterType
from pacer_icat.client import Shared
from pacer_icat.collation import fold
from pacer_icat.datasets.message import Parameter
from pacer_icat.integration import ICAT
from pacer_icat.keys import investigation_key
from pacer_icat.links.graph import INPUTS, NAME
from pacer_icat.references import reference
from pacer_icat.signals import looking_again
from pacer_icat.spellings import folder, folder_spellings


@frozen
class MetadataUpdate:
    """A value for one parameter of the datasets in some folders, in a proposal at a beamline."""

    proposal: Text
    beamline: Text
    dataset_paths: Texts
    metadata_name: Text
    metadata_value: Scalar | None


def describe(message: MetadataUpdate) -> dict[str, str]:
    """Give the identifiers by which people look for the message."""
    return {"investigation": message.proposal, "instrument": message.beamline}


@frozen
class Update:
    """A value for datasets, each with its investigation, and the places of the folders that are not there."""

    parameter: parameters.Parameter
    datasets: dict[int, int]
    missing: tuple[int, ...]

    @property
    def wanted(self) -> dict[kept.Place, Any]:
        """What the datasets are to hold."""
        return {(id_, self.parameter.type.name): self.parameter.value for id_ in self.datasets}

    @property
    def types(self) -> dict[str, ParameterType]:
        """The type of the parameter."""
        return {self.parameter.type.name: self.parameter.type}

    def check_whole(self, message: MetadataUpdate) -> None:
        """See that all datasets are there.

        Raises
        ------
        NotYet
            Naming the folders in which there is none.
        """
        if self.missing:
            names = ", ".join(f"dataset_paths[{place}]" for place in self.missing[:20])
            raise NotYet(
                f"ICAT has no dataset of investigation {message.proposal!r} at instrument "
                f"{message.beamline!r} in these folders ({len(self.missing)}): {names}"
            )


def foresee_update(message: MetadataUpdate, ctx: Context) -> list[Planned]:
    """Say what `update_metadata` would do with the datasets once all are there."""
    icat = ctx[ICAT].shared

    def foresee() -> list[Planned]:
        update = _plan(message, icat)
        if not isinstance(update, Update):
            why = "ICAT has no type of that name" if update == "unknown" else "empty: the old value stays"
            return [Planned("1 parameter", "left-out", why)]
        update.check_whole(message)
        changes = kept.lacking("Dataset", update.wanted, update.types, icat)
        return [kept.planned("Dataset", id_, changes.said_of(id_)) for id_ in update.datasets]

    return looking_again(icat.catalogue, foresee)


@task(needs=[ICAT], counts=[parameters.UNKNOWN_PARAMETERS], plan=foresee_update)
def update_metadata(message: MetadataUpdate, ctx: Context) -> None:
    """Set the parameter on each dataset that is there, and wait for the others; safe to repeat.

    An empty value changes nothing: ICAT has none, and whether the old one was meant to go nobody has said.
    """
    icat = ctx[ICAT].shared

    def store() -> Update | Literal["unknown", "empty"]:
        update = _plan(message, icat)
        if isinstance(update, Update):
            kept.put("Dataset", update.wanted, update.types, icat)
            update.check_whole(message)
        return update

    update = looking_again(icat.catalogue, store)
    if update == "unknown":
        ctx.log.info("%r is no parameter type in ICAT: the update is ignored", message.metadata_name)
        ctx.count(parameters.UNKNOWN_PARAMETERS)
    elif isinstance(update, Update) and fold(message.metadata_name) in (fold(INPUTS), fold(NAME)):
        for dataset, investigation in update.datasets.items():
            ctx.emit("dataset-links", reference(dataset, investigation))


def _plan(message: MetadataUpdate, icat: Shared) -> Update | Literal["unknown", "empty"]:
    """Check the value, and find the datasets; or say that its type is ``unknown``, or it is ``empty``."""
    given = Parameter(message.metadata_name, message.metadata_value)
    types = icat.catalogue.parameter_types([given.name])
    checked = parameters.check([given], types, owner="Dataset", schema=icat.wire.schema, zone=icat.zone)
    if checked.bad:
        raise Reject("the update has bad fields", fields=list(map(_renamed, checked.bad)))
    if checked.unknown:
        return "unknown"
    if checked.empty:
        parameters.log_empty(checked, f"the update of investigation {message.proposal}")
        return "empty"
    found = _datasets(message, icat)
    there = {folder(location) for _, location, _ in found}
    (parameter,) = checked.good
    return Update(
        parameter,
        {dataset: investigation for dataset, _, investigation in found},
        tuple(place for place, path in enumerate(message.dataset_paths) if folder(path) not in there),
    )


def _datasets(message: MetadataUpdate, icat: Shared) -> list[Any]:
    """Give id, location and investigation of the datasets in the folders."""
    instrument = icat.catalogue.instrument(message.beamline)
    for anew in (False, True):
        visits = icat.catalogue.investigations(message.proposal, anew=anew)
        fitting = [one.id for one in visits if instrument in one.instruments]
        if fitting:
            break
    else:
        raise NotYet(f"ICAT has no investigation {message.proposal!r} at instrument {message.beamline!r}")
    folders = {folder(path) for path in message.dataset_paths}
    spelt = {text for path in message.dataset_paths for text in folder_spellings(path)}
    rows = []
    for part in kept.chunks(sorted(spelt), kept.IDS_IN_ONE_QUERY):
        rows += icat.wire.search_all(
            "SELECT d.id, d.location, d.investigation.id FROM Dataset d "
            "WHERE d.investigation.id IN (:investigations) AND d.location IN (:locations) ORDER BY d.id",
            investigations=fitting,
            locations=part,
        )
    # The database may hold for the same what differs in case or accents; file systems do not.
    return [row for row in rows if folder(row[1]) in folders]


def _renamed(bad: BadField) -> BadField:
    field = "metadata_name" if bad.path.endswith(".name") else "metadata_value"
    return BadField(field, bad.message)


DATASET_METADATA = ConsumerType(
    name="dataset-metadata",
    message=MetadataUpdate,
    tasks=[update_metadata],
    key=investigation_key(lambda message: message.proposal, ordered=True),
    describe=describe,
)
