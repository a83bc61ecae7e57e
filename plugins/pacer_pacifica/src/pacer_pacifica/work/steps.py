"""What the tasks of both consumer types do: policy, archive, catalogue, the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pacer_core import Context, Reject
from pacer_pacifica.archive import PACIFICA_ARCHIVE, Archive, Deposit
from pacer_pacifica.bundles.agreement import check_hashes, check_media_types
from pacer_pacifica.bundles.errors import BundleError, ContentError
from pacer_pacifica.bundles.metadata import Metadata
from pacer_pacifica.ends.metadata import PACIFICA_METADATA
from pacer_pacifica.ends.policy import PACIFICA_POLICY
from pacer_pacifica.integration import PACIFICA
from pacer_pacifica.jobs import Over
from pacer_pacifica.work.places import Message, clear
from pacer_pacifica.work.stages import NUMBERS


class PolicyError(BundleError):
    """The policy does not allow the upload: the task ``Policy Validation``."""


def allow(message: Message, ctx: Context, metadata: Metadata) -> None:
    """Ask the policy.

    Raises
    ------
    PolicyError
        Where it does not allow the upload.
    """
    refusal = ctx[PACIFICA_POLICY].refusal(metadata, message.user)
    if refusal:
        raise PolicyError(refusal)


def check_declared(metadata: Metadata) -> None:
    """Check what can be checked before a file is touched.

    Raises
    ------
    ContentError, CatalogueError
        Where a file could not be compared, or no catalogue would take it.
    """
    check_hashes(metadata.files)
    check_media_types(metadata.files)


def numbers(
    message: Message, ctx: Context, metadata: Metadata, kept: Any, archive: Archive | None = None
) -> tuple[int, bool]:
    """Give the number of a job's first file, drawn once for all attempts, and whether it was drawn before.

    ``kept`` is what the stage has found of that: `Stage.numbers`.

    Raises
    ------
    ContentError
        Where the ``archive`` has a file under a number that was just drawn, or an earlier attempt had others.
    """
    pacifica = ctx[PACIFICA]
    count = len(metadata.files)
    again = kept is not None
    if not again:
        first = pacifica.files.take(count)
        if archive is not None and archive.has(first):
            raise ContentError(
                f"the archive has another file under the number {first}, which was drawn just now: has the "
                "job database been made anew, or brought back from a copy? Set its numbers behind the last"
            )
        kept = pacifica.jobs.keep(message.job_id, NUMBERS, {"first": first, "count": count})
    if kept["count"] != count:
        raise ContentError(f"{count} files are declared, and {kept['count']} were in an earlier attempt")
    return int(kept["first"]), again


def catalogue(message: Message, ctx: Context, metadata: Metadata, first: int) -> None:
    """Store the transaction in Pacifica's metadata service."""
    ctx[PACIFICA_METADATA].ingest(metadata, message.job_id, first)


@contextmanager
def cleaning(message: Message, ctx: Context, deposits: Sequence[Deposit], *, remove: bool) -> Iterator[None]:
    """Take files that may be in the archive out again where what is done here fails for good, or report them.

    Raises
    ------
    CatalogueError
        What was raised in the block, with what became of the files.
    """
    try:
        yield
    except (BundleError, Reject) as error:
        told = take_out(message, ctx, deposits) if remove else _report(deposits)
        ctx.log.warning("job %d has failed, and %s", message.job_id, told)
        raise type(error)(f"{error}; {told}") from None


def _report(deposits: Sequence[Deposit]) -> str:
    first, last = deposits[0].id, deposits[-1].id
    return f"its files, with the numbers {first} to {last}, may be in the archive still"


def take_out(message: Message, ctx: Context, deposits: Sequence[Deposit]) -> str:
    """Take a job's files out of the archive, unless it is done or in a later attempt; say what was done.

    Their numbers are forgotten first: whoever goes on with the job archives its files anew, under others.
    """
    if not ctx[PACIFICA].jobs.forget(message.job_id, message.attempt, NUMBERS):
        return "its files stay in the archive, since the job goes on elsewhere"
    removal = ctx[PACIFICA_ARCHIVE].remove(message.job_id, deposits)
    left = f"; {removal.left} are left, which other jobs have" if removal.left else ""
    return f"{removal.removed} of its files were taken out of the archive again{left}"


def finish(message: Message, ctx: Context) -> None:
    """End a job well, and take its upload out of the spool."""
    pacifica = ctx[PACIFICA]
    try:
        pacifica.jobs.finish(message.job_id, message.attempt)
    except Over:
        if pacifica.jobs.get(message.job_id).status != "done":
            raise
    clear(message, pacifica.spool)
