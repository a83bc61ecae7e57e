"""Bundles into ICAT: a dataset with its files, by the path of the consumer type ``datasets``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from threading import Lock

from pacer_core import Context, Scalar, Text, task
from pacer_icat import (
    ICAT,
    UNKNOWN_PARAMETERS,
    Bean,
    Datafile,
    Dataset,
    DatasetsOptions,
    IcatFault,
    Parameter,
    Sample,
    fold,
    ref,
    settled,
    store_dataset,
)
from pacer_pacifica.archive import PACIFICA_ARCHIVE, Deposit
from pacer_pacifica.bundles.metadata import INSTRUMENT, PROJECT, SUBMITTER, File, Metadata
from pacer_pacifica.integration import PACIFICA
from pacer_pacifica.jobs import INGEST_METADATA
from pacer_pacifica.messages import Bundle, Move
from pacer_pacifica.work import bundles, moves
from pacer_pacifica.work.options import InIcatOptions
from pacer_pacifica.work.places import Message
from pacer_pacifica.work.stages import Stage, of_a_job, run
from pacer_pacifica.work.steps import cleaning, numbers

_WRITERS = tuple(Lock() for _ in range(64))
"""One writer for an investigation, in one process: several are right, and wait for each other in ICAT."""


def dataset_of(
    message: Message,
    metadata: Metadata,
    sizes: Mapping[str, int],
    folder: str,
    stored: datetime,
    options: InIcatOptions,
) -> Dataset:
    """Give the dataset that a bundle is in ICAT.

    ``sizes`` are by the paths of the files, ``folder`` is the archive's for this job, and ``stored`` the time
    of files that have none. Values of a key that comes several times stand behind each other, with commas.
    """
    values: dict[str, list[str]] = {}
    for key, value in metadata.key_values:
        values.setdefault(key, []).append(value)
    joined = {key: ", ".join(found) for key, found in values.items()}
    times = [file.modified or stored for file in metadata.files]
    instrument = metadata.terms[INSTRUMENT]
    name = joined.get(options.name_key, "") if options.name_key else ""
    return Dataset(
        instrument=Text(options.instruments.get(instrument, instrument)),
        name=Text(name.strip() or f"pacifica-{message.job_id}"),
        location=Text(folder),
        start_date=min(times),
        end_date=max(times),
        sample=Sample(Text(joined.get(options.sample_key, "").strip() or options.sample)),
        investigation=Text(metadata.terms[PROJECT]),
        parameters=tuple(Parameter(Text(key), Scalar(value)) for key, value in joined.items()),
        datafiles=tuple(_datafile(file, sizes, folder) for file in metadata.files),
    )


def _as_datasets(options: InIcatOptions) -> DatasetsOptions:
    """Give what the path of ``datasets`` is told."""
    return DatasetsOptions(unknown_parameters=options.unknown_parameters, raw_type=options.dataset_type)


def _datafile(file: File, sizes: Mapping[str, int], folder: str) -> Datafile:
    return Datafile(Text(f"{folder}/{file.below_data}"), sizes.get(file.path, file.size))


@task(
    needs=[PACIFICA, PACIFICA_ARCHIVE, ICAT],
    after=[bundles.ingest_bundle_metadata],
    counts=[UNKNOWN_PARAMETERS],
    optional=True,
)
@of_a_job
def store_bundle_in_icat(bundle: Bundle, ctx: Context) -> None:
    """Store the bundle as a dataset in ICAT: ``ingest metadata``."""

    def work(stage: Stage) -> None:
        upload, metadata = bundles.opened(bundle, ctx)
        first, _again = numbers(bundle, ctx, metadata, stage.numbers)
        with upload.contents(metadata, first) as deposits:
            _store(bundle, metadata, deposits, ctx)

    run(bundle, ctx, INGEST_METADATA, work)


@task(
    needs=[PACIFICA, PACIFICA_ARCHIVE, ICAT],
    after=[moves.ingest_move_metadata],
    counts=[UNKNOWN_PARAMETERS],
    optional=True,
)
@of_a_job
def store_move_in_icat(move: Move, ctx: Context) -> None:
    """Store the files that were moved as a dataset in ICAT: ``ingest metadata``."""

    def work(stage: Stage) -> None:
        metadata = moves.document(move, ctx)
        first, _again = numbers(move, ctx, metadata, stage.numbers)
        _store(move, metadata, moves.deposits_of(metadata, first), ctx)

    run(move, ctx, INGEST_METADATA, work)


def _store(message: Message, metadata: Metadata, deposits: Sequence[Deposit], ctx: Context) -> None:
    # Nothing is taken out of the archive where ICAT refuses: Pacifica's catalogue may have it already.
    options: InIcatOptions = ctx.options.icat
    dataset = dataset_of(
        message,
        metadata,
        {deposit.file.path: deposit.size for deposit in deposits},
        ctx[PACIFICA_ARCHIVE].folder_of(message.job_id),
        ctx[PACIFICA].jobs.get(message.job_id).created,
        options,
    )
    with cleaning(message, ctx, deposits, remove=False), _WRITERS[hash(fold(metadata.terms[PROJECT])) % 64]:
        store_dataset(dataset, ctx.for_task(_as_datasets(options)))
        if options.submitter_role is not None:
            submitter = metadata.terms[SUBMITTER]
            _add_user(options.users.get(submitter, submitter), options.submitter_role, ctx)


def _add_user(name: str, role: str, ctx: Context) -> None:
    """Add a user to the investigation, unless it is in it with that role."""
    icat, investigation = ctx[ICAT], ctx.facts["investigation_id"]
    user = icat.one("User", name=name).id
    wire = icat.shared.wire
    try:
        found = wire.search(
            "SELECT u.id FROM InvestigationUser u WHERE u.investigation.id = :investigation "
            "AND u.user.id = :user AND u.role = :role",
            investigation=investigation,
            user=user,
            role=role,
        )
        if not found:
            links = {"investigation": ref("Investigation", investigation), "user": ref("User", user)}
            wire.create(Bean("InvestigationUser", {**links, "role": role}))
    except IcatFault as fault:
        if not fault.is_duplicate:
            raise settled(fault) from fault
