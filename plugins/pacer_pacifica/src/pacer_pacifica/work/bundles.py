"""The tasks of ``pacifica-bundles``, in their order; each may be repeated at any time."""

from __future__ import annotations

from pacer_core import Context, Reject, Task, task
from pacer_pacifica.archive import PACIFICA_ARCHIVE
from pacer_pacifica.bundles.agreement import check_members
from pacer_pacifica.bundles.metadata import Metadata
from pacer_pacifica.ends.metadata import PACIFICA_METADATA
from pacer_pacifica.ends.policy import PACIFICA_POLICY
from pacer_pacifica.integration import PACIFICA
from pacer_pacifica.jobs import (
    INGEST_FILES,
    INGEST_METADATA,
    LOAD_METADATA,
    OPEN_TAR,
    POLICY,
    Over,
)
from pacer_pacifica.messages import Bundle
from pacer_pacifica.work.options import BundlesOptions
from pacer_pacifica.work.stages import Stage, of_a_job, run
from pacer_pacifica.work.steps import (
    allow,
    catalogue,
    check_declared,
    cleaning,
    finish,
    numbers,
    take_out,
)
from pacer_pacifica.work.upload import Upload, metadata_of, open_upload


def opened(bundle: Bundle, ctx: Context) -> tuple[Upload, Metadata]:
    """Read a bundle and what it says of itself."""
    upload = open_upload(bundle, ctx[PACIFICA].spool, _options(ctx).limits)
    return upload, metadata_of(upload)


@task(needs=[PACIFICA])
@of_a_job
def open_bundle(bundle: Bundle, ctx: Context) -> None:
    """Read all headers of the bundle, and its ``metadata.txt``: ``open tar`` and ``load metadata``."""
    found: list[Upload] = []

    def look(_: Stage) -> None:
        found.append(open_upload(bundle, ctx[PACIFICA].spool, _options(ctx).limits))

    def load(_: Stage) -> None:
        metadata_of(found[0])

    run(bundle, ctx, OPEN_TAR, look)
    run(bundle, ctx, LOAD_METADATA, load)


@task(needs=[PACIFICA, PACIFICA_POLICY], after=[open_bundle])
@of_a_job
def check_bundle_policy(bundle: Bundle, ctx: Context) -> None:
    """Ask the policy whether this upload is allowed: ``Policy Validation``."""
    run(bundle, ctx, POLICY, lambda _: allow(bundle, ctx, opened(bundle, ctx)[1]))


@task(needs=[PACIFICA, PACIFICA_ARCHIVE], after=[check_bundle_policy])
@of_a_job
def archive_bundle(bundle: Bundle, ctx: Context) -> None:
    """Check the files against what is declared of them, number and archive them: ``ingest files``."""
    _archive(bundle, ctx)


def _archive(bundle: Bundle, ctx: Context) -> None:
    def work(stage: Stage) -> None:
        upload, metadata = opened(bundle, ctx)
        check_members(metadata, upload.index.files)
        check_declared(metadata)
        archive, remove = ctx[PACIFICA_ARCHIVE], _options(ctx).failed_files == "remove"
        first, again = numbers(bundle, ctx, metadata, stage.numbers, archive)
        with upload.contents(metadata, first) as deposits:
            stage.expect(sum(deposit.size for deposit in deposits))
            try:
                archive.store(bundle.job_id, deposits, again=again, note=stage.moved)
            except Reject:
                with cleaning(bundle, ctx, deposits, remove=remove):
                    raise
            except Over:
                if remove:
                    told = take_out(bundle, ctx, deposits)
                    ctx.log.info("job %d is not wanted any more, and %s", bundle.job_id, told)
                raise

    run(bundle, ctx, INGEST_FILES, work)


@task(needs=[PACIFICA, PACIFICA_ARCHIVE, PACIFICA_METADATA], after=[archive_bundle], optional=True)
@of_a_job
def ingest_bundle_metadata(bundle: Bundle, ctx: Context) -> None:
    """Store the transaction in Pacifica's metadata service: ``ingest metadata``."""

    def work(stage: Stage) -> bool:
        if stage.numbers is None:
            return False
        upload, metadata = opened(bundle, ctx)
        first, _again = numbers(bundle, ctx, metadata, stage.numbers)
        with (
            upload.contents(metadata, first) as deposits,
            cleaning(bundle, ctx, deposits, remove=_options(ctx).failed_files == "remove"),
        ):
            catalogue(bundle, ctx, metadata, first)
        return True

    while not run(bundle, ctx, INGEST_METADATA, work):
        _archive(bundle, ctx)  # they were, and were taken out when an earlier try here failed


def finish_after(name: str) -> Task:
    """Give the last task of the consumer type, which comes after the one that has that name."""

    @task(needs=[PACIFICA], after=[name])
    @of_a_job
    def finish_bundle(bundle: Bundle, ctx: Context) -> None:
        """End the job, and take the bundle out of the spool."""
        finish(bundle, ctx)

    return finish_bundle


def _options(ctx: Context) -> BundlesOptions:
    options: BundlesOptions = ctx.options
    return options
