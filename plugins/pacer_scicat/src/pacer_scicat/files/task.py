"""The task that stores a file as a dataset, and the consumer type."""

from __future__ import annotations

from pacer_core import ConsumerType, Context, task
from pacer_scicat.files.foresee import foresee_nexus_file
from pacer_scicat.files.message import NexusFile, describe
from pacer_scicat.files.options import NexusFilesOptions, warn
from pacer_scicat.integration import SCICAT
from pacer_scicat.writing import MessageFacts, store

FAILED = "failed_variables"
"""What is counted of variables and fields without a value."""
_NAMED = 20
"""Failures that the message's record holds at most."""


@task(needs=[SCICAT], counts=[FAILED], plan=foresee_nexus_file)
def store_nexus_file(message: NexusFile, ctx: Context) -> None:
    """Write a finished file into SciCat as a dataset with its files; the same one twice is one.

    Leaves ``scicat`` in the facts: pid, schema, and the variables that had no value.
    """
    # Imported here: numpy and HDF5 are for workers.
    from pacer_scicat.files.record import prepare

    scicat, options = ctx[SCICAT], ctx.options
    ready = prepare(message, options, scicat, run_id=ctx.envelope.correlation_id or None, facts=ctx.facts)
    failures = ready.failures()
    if failures:
        ctx.count(FAILED, len(failures))
        said = "; ".join(f"{name}: {why}" for name, why in failures.items())
        ctx.log.warning("schema %s: %d without a value: %s", ready.schema.name, len(failures), said)
    stored = store(
        ready.record,
        scicat,
        MessageFacts(ctx.facts),
        patience=options.patience,
        lock_folder=options.lock_folder,
    )
    ctx.log.info(
        "SciCat has %s%s, %d files added", stored.pid, " (new)" if stored.created else "", stored.files
    )
    shown = dict(list(failures.items())[:_NAMED])
    ctx.facts["scicat"] = {
        "pid": stored.pid,
        "schema": ready.schema.id,
        **({"failed": shown} if shown else {}),
    }


NEXUS_FILES = ConsumerType(
    name="nexus-files",
    message=NexusFile,
    tasks=[store_nexus_file],
    options=NexusFilesOptions,
    describe=describe,
    warn=warn,
)
