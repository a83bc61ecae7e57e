"""``dataset-metadata``: one parameter, set on the datasets in some folders."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from pacer_core import BadField, ConsumerType, Context, NotYet, Reject, Scalar, Text, Texts, task
from pacer_icat import kept, parameters
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


@task(needs=[ICAT], counts=[parameters.UNKNOWN_PARAMETERS])
def update_metadata(message: MetadataUpdate, ctx: Context) -> None:
    """Set the parameter on each dataset that is there, and wait for the others; safe to repeat.

    An empty value changes nothing: ICAT has none, and whether the old one was meant to go nobody has said.
    """
    icat = ctx[ICAT].shared
    changed = looking_again(icat.catalogue, lambda: _update(message, icat))
    if changed is None:
        ctx.log.info("%r is no parameter type in ICAT: the update is ignored", message.metadata_name)
        ctx.count(parameters.UNKNOWN_PARAMETERS)
    elif fold(message.metadata_name) in (fold(INPUTS), fold(NAME)):
        for dataset, investigation in changed:
            ctx.emit("dataset-links", reference(dataset, investigation))


def _update(message: MetadataUpdate, icat: Shared) -> list[tuple[int, int]] | None:
    """Give the datasets that have the value now, with their investigations; ``None`` for an unknown type."""
    given = Parameter(message.metadata_name, message.metadata_value)
    types = icat.catalogue.parameter_types([given.name])
    checked = parameters.check([given], types, owner="Dataset", schema=icat.wire.schema, zone=icat.zone)
    if checked.bad:
        raise Reject("the update has bad fields", fields=list(map(_renamed, checked.bad)))
    if checked.unknown:
        return None
    if checked.empty:
        parameters.log_empty(checked, f"the update of investigation {message.proposal}")
        return []
    found = _datasets(message, icat)
    (parameter,) = checked.good
    name = parameter.type.name
    kept.put(
        "Dataset",
        {(dataset, name): parameter.value for dataset, _, _ in found},
        {name: parameter.type},
        icat,
    )
    there = {folder(location) for _, location, _ in found}
    missing = [place for place, path in enumerate(message.dataset_paths) if folder(path) not in there]
    if missing:
        names = ", ".join(f"dataset_paths[{place}]" for place in missing[:20])
        raise NotYet(
            f"ICAT has no dataset of investigation {message.proposal!r} at instrument {message.beamline!r} "
            f"in these folders ({len(missing)}): {names}"
        )
    return [(dataset, investigation) for dataset, _, investigation in found]


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
