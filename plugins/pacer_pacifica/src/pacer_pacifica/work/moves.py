"""The tasks of ``pacifica-moves``: files that are at the archive's host already."""

from __future__ import annotations

from pacer_core import Context, Task, task
from pacer_pacifica.archive import PACIFICA_ARCHIVE, Deposit
from pacer_pacifica.bundles.metadata import Metadata
from pacer_pacifica.ends.metadata import PACIFICA_METADATA
from pacer_pacifica.ends.policy import PACIFICA_POLICY
from pacer_pacifica.integration import PACIFICA
from pacer_pacifica.jobs import INGEST_METADATA, LOAD_METADATA, MOVE_FILES, POLICY
from pacer_pacifica.messages import Move
from pacer_pacifica.work.options import MovesOptions
from pacer_pacifica.work.stages import Stage, of_a_job, run
from pacer_pacifica.work.steps import allow, catalogue, check_declared, cleaning, finish, numbers
from pacer_pacifica.work.upload import read_document


def document(move: Move, ctx: Context) -> Metadata:
    """Read the list of files."""
    options: MovesOptions = ctx.options
    return read_document(move, ctx[PACIFICA].spool, options.limits)


def deposits_of(metadata: Metadata, first: int) -> list[Deposit]:
    """Give the files as an archive takes them, numbered from ``first`` on."""
    return [Deposit(number, file, file.size or 0) for number, file in enumerate(metadata.files, first)]


@task(needs=[PACIFICA])
@of_a_job
def load_move(move: Move, ctx: Context) -> None:
    """Read the list of files: ``load metadata``."""

    def work(_: Stage) -> None:
        document(move, ctx)

    run(move, ctx, LOAD_METADATA, work)


@task(needs=[PACIFICA, PACIFICA_POLICY], after=[load_move])
@of_a_job
def check_move_policy(move: Move, ctx: Context) -> None:
    """Ask the policy whether this move is allowed: ``Policy Validation``."""
    run(move, ctx, POLICY, lambda _: allow(move, ctx, document(move, ctx)))


@task(needs=[PACIFICA, PACIFICA_ARCHIVE], after=[check_move_policy])
@of_a_job
def archive_move(move: Move, ctx: Context) -> None:
    """Check the files against what is declared of them, and move them into the archive: ``move files``."""

    def work(stage: Stage) -> None:
        metadata = document(move, ctx)
        check_declared(metadata)
        first, again = numbers(move, ctx, metadata, stage.numbers, ctx[PACIFICA_ARCHIVE])
        deposits = deposits_of(metadata, first)
        stage.expect(sum(deposit.size for deposit in deposits))
        ctx[PACIFICA_ARCHIVE].move(move.job_id, deposits, again=again, note=stage.moved)

    run(move, ctx, MOVE_FILES, work)


@task(needs=[PACIFICA, PACIFICA_METADATA], after=[archive_move], optional=True)
@of_a_job
def ingest_move_metadata(move: Move, ctx: Context) -> None:
    """Store the transaction in Pacifica's metadata service: ``ingest metadata``."""

    def work(stage: Stage) -> None:
        metadata = document(move, ctx)
        first, _again = numbers(move, ctx, metadata, stage.numbers)
        # Never taken away: they are nowhere else any more.
        with cleaning(move, ctx, deposits_of(metadata, first), remove=False):
            catalogue(move, ctx, metadata, first)

    run(move, ctx, INGEST_METADATA, work)


def finish_after(name: str) -> Task:
    """Give the last task of the consumer type, which comes after the one that has that name."""

    @task(needs=[PACIFICA], after=[name])
    @of_a_job
    def finish_move(move: Move, ctx: Context) -> None:
        """End the job, and take the list out of the spool."""
        finish(move, ctx)

    return finish_move
