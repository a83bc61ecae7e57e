"""``pacer dashboard checks`` and ``index``."""

from __future__ import annotations

import click

from pacer_core import PacerError, say
from pacer_dashboard.place import from_environment


@click.command(short_help="Look after investigations that have ended.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent; send and write nothing.")
@click.option("--investigation", metavar="NAME", help="Check this one alone, however long ago it has ended.")
@click.option("--visit-id", metavar="VISIT", help="This visit of it; without, all of them.")
@click.pass_context
def checks(ctx: click.Context, dry_run: bool, investigation: str | None, visit_id: str | None) -> None:
    """Look after investigations that have ended: whether each has a DOI, and an item at PaNOSC.

    For what is missing, operations are sent to PACER. What could not be found out is not missing: the exit
    code is 1 then, and where something was not taken by the broker.
    """
    from pacer_dashboard.checks import run as checking
    from pacer_dashboard.checks.options import check_options
    from pacer_dashboard.start import prepare

    if visit_id is not None and investigation is None:
        raise click.UsageError("--visit-id belongs to --investigation")
    options = check_options()
    prepare(from_environment())
    report = checking.run(options, name=investigation, visit_id=visit_id, dry_run=dry_run)
    for look in report.looks:
        if look.operations or "unknown" in (look.doi, look.panosc):
            one = look.investigation
            wanted = ", ".join(look.operations) or "nothing to send"
            say(f"{one.name} {one.visit_id}: doi {look.doi}, panosc {look.panosc}: {wanted}")
    for text in report.notes:
        say(text)
    lacking = sum(bool(one.operations) for one in report.looks)
    say(f"{len(report.looks)} looked at, {lacking} lack something, {report.unknown} unknown")
    if dry_run:
        say("dry run: nothing was sent")
    else:
        say(f"{len(report.sent)} sent, {len(report.failed)} not taken, {len(report.waiting)} under way")
    if report.trouble:
        say(report.trouble, err=True)
    ctx.exit(1 if report.failed or report.unknown else 0)


@click.command(short_help="Send a message about each public dataset.")
@click.option("--dry-run", is_flag=True, help="Count, and send nothing.")
@click.option("--all-datasets", is_flag=True, help="Not those alone that were released in the last month.")
@click.option("--embargoed", is_flag=True, help="With --all-datasets: what is under embargo, too.")
@click.option("--index", help="The index's name; ES_PUBLIC_DATASET_INDEX otherwise.")
@click.pass_context
def index(ctx: click.Context, dry_run: bool, all_datasets: bool, embargoed: bool, index: str | None) -> None:
    """Send a message about each public dataset, for the index in which they are found."""
    from pacer_dashboard.again import broker
    from pacer_dashboard.checks import index as indexing
    from pacer_dashboard.checks.options import icat_options, index_options
    from pacer_icat import connect

    if embargoed and not all_datasets:
        raise click.UsageError("--embargoed belongs to --all-datasets")
    options = index_options(index=index)
    with connect(icat_options()) as icat:
        done = indexing.run(
            icat,
            options,
            all_datasets=all_datasets,
            embargoed=embargoed,
            dry_run=dry_run,
            opened=broker.opened,
        )
    if dry_run:
        say(f"{done.datasets} datasets; dry run: nothing was sent")
        return
    say(f"{done.sent} of {done.datasets} sent")
    if done.trouble:
        raise PacerError(done.trouble)
