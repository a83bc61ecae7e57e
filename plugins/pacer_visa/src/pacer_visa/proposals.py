"""The task that keeps a proposal, its experiment and its members in VISA; it joins ``investigations``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pacer_core import BadField, Context, NotYet, Reject, task
from pacer_icat import Investigation, Member, check_period, fold, user_name
from pacer_visa.client import Visa
from pacer_visa.columns import cut, whole
from pacer_visa.integration import VISA
from pacer_visa.keys import experiment_id, proposal_id
from pacer_visa.options import ProposalOptions
from pacer_visa.own import is_news, stamp_of

if TYPE_CHECKING:
    from psycopg import Connection


@task(needs=[VISA], options=ProposalOptions)
def sync_visa_proposal(investigation: Investigation, ctx: Context) -> None:
    """Write a proposal, its experiment and the experiment's members; older messages change nothing.

    Members whom VISA does not know yet keep the message waiting; the others are members in the meantime.
    """
    if not investigation.visa_sync:
        return
    visa, options = ctx[VISA], ctx.options
    if bad := check_period(investigation.start_date, investigation.end_date, visa.zone):
        raise Reject("the investigation has bad fields", fields=bad)
    proposal, experiment = (
        proposal_id(investigation),
        experiment_id(investigation.name, investigation.visit_id),
    )
    stamp = stamp_of(ctx)
    name = fold(investigation.name)
    with visa.transaction() as connection:
        # Always in this order: two visits of one proposal may come at the same time.
        if is_news(connection, f"proposal:{proposal}", stamp):
            _is_its_own(connection, proposal, name)
            _write_proposal(connection, proposal, investigation, visa, options, ctx)
        if not is_news(connection, f"experiment:{experiment}", stamp):
            ctx.log.info("VISA has a newer message about this experiment: nothing to do")
            return
        _is_its_own_visit(connection, experiment, name)
        _write_experiment(connection, experiment, proposal, investigation, visa, ctx)
        missing = _write_members(connection, experiment, investigation.user_list)
    if missing:
        raise NotYet(f"members are not in VISA yet: {missing} of {len(investigation.user_list)}")


def _is_its_own(connection: Connection[Any], proposal: int, name: str) -> None:
    """Refuse a number that stands for another proposal in VISA: it would get this one's title and dates."""
    found = connection.execute("SELECT identifier FROM proposal WHERE id = %s", [proposal]).fetchone()
    if found is not None and found[0] and fold(found[0]) != name:
        problem = (
            f"is {proposal}, the number of another proposal in VISA; where both are the same one, correct "
            "proposal.identifier in VISA, and replay the message"
        )
        raise Reject("the proposal is not clear", fields=[BadField("visa_visit_id", problem)])


def _is_its_own_visit(connection: Connection[Any], experiment: str, name: str) -> None:
    """Refuse a visit whose id another proposal's has: with a slash in a name, ``a/b`` and ``c`` give one."""
    found = connection.execute(
        "SELECT identifier FROM experiment JOIN proposal ON proposal.id = proposal_id "
        "WHERE experiment.id = %s",
        [experiment],
    ).fetchone()
    if found is not None and found[0] and fold(found[0]) != name:
        problem = (
            "makes, with the visit, the id of another proposal's experiment in VISA: give one of the two "
            "another name, without a slash"
        )
        raise Reject("the experiment is not clear", fields=[BadField("name", problem)])


def _write_proposal(
    connection: Connection[Any],
    proposal: int,
    investigation: Investigation,
    visa: Visa,
    options: ProposalOptions,
    ctx: Context,
) -> None:
    connection.execute(
        "INSERT INTO proposal AS known (id, identifier, title, summary, public_at) "
        "VALUES (%s, %s, %s, %s, %s) "
        "ON CONFLICT (id) DO UPDATE SET identifier = EXCLUDED.identifier, title = EXCLUDED.title, "
        "summary = EXCLUDED.summary, public_at = EXCLUDED.public_at "
        "WHERE (known.identifier, known.title, known.summary, known.public_at) IS DISTINCT FROM "
        "(EXCLUDED.identifier, EXCLUDED.title, EXCLUDED.summary, EXCLUDED.public_at)",
        [
            proposal,
            whole("proposal.identifier", "name", investigation.name),
            cut(ctx, "proposal.title", investigation.title),
            cut(ctx, "proposal.summary", investigation.summary),
            visa.clock(investigation.release_date(options.embargo_years)),
        ],
    )


def _write_experiment(
    connection: Connection[Any],
    experiment: str,
    proposal: int,
    investigation: Investigation,
    visa: Visa,
    ctx: Context,
) -> None:
    found = connection.execute(
        "SELECT id FROM instrument WHERE name = %s LIMIT 2", [investigation.instrument.name]
    ).fetchall()
    if not found:
        raise NotYet(f"VISA has no instrument {investigation.instrument.name!r}")
    if len(found) > 1:
        problem = "is the name of several instruments in VISA"
        raise Reject("the instrument is not clear", fields=[BadField("instrument.name", problem)])
    ((instrument,),) = found
    connection.execute(
        "INSERT INTO experiment AS known (id, instrument_id, proposal_id, start_date, end_date, title) "
        "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET "
        "instrument_id = EXCLUDED.instrument_id, proposal_id = EXCLUDED.proposal_id, "
        "start_date = EXCLUDED.start_date, end_date = EXCLUDED.end_date, title = EXCLUDED.title WHERE "
        "(known.instrument_id, known.proposal_id, known.start_date, known.end_date, known.title) "
        "IS DISTINCT FROM (EXCLUDED.instrument_id, EXCLUDED.proposal_id, EXCLUDED.start_date, "
        "EXCLUDED.end_date, EXCLUDED.title)",
        [
            experiment,
            instrument,
            proposal,
            *_dates(investigation, visa, ctx),
            cut(ctx, "experiment.title", investigation.title),
        ],
    )


def _dates(investigation: Investigation, visa: Visa, ctx: Context) -> tuple[datetime | None, datetime | None]:
    """Give start and end by VISA's clock, which shows an hour of autumn twice: no end is before its start."""
    start, end = visa.clock(investigation.start_date), visa.clock(investigation.end_date)
    if start is not None and end is not None and end < start:
        ctx.log.warning("the experiment ends while clocks change: VISA shows its start as its end")
        start = end
    return start, end


def _write_members(connection: Connection[Any], experiment: str, members: Sequence[Member]) -> int:
    """Make the members of an experiment those of the message; give how many VISA does not know.

    While somebody is not known nobody is removed: a member under another name may be the one.
    """
    known = [_user_of(connection, place, member) for place, member in enumerate(members)]
    wanted = sorted({user for user in known if user is not None})
    missing = known.count(None)
    if not missing:
        connection.execute(
            "DELETE FROM experiment_user WHERE experiment_id = %s AND user_id <> ALL(%s)",
            [experiment, wanted],
        )
    connection.execute(
        "INSERT INTO experiment_user (experiment_id, user_id) SELECT %s, unnest(%s::text[]) "
        "ON CONFLICT DO NOTHING",
        [experiment, wanted],
    )
    return missing


def _user_of(connection: Connection[Any], place: int, member: Member) -> str | None:
    """Give VISA's user of a member: by the user name of their own message, else by their address."""
    found = connection.execute(
        "SELECT users.id FROM pacer_username JOIN users ON users.id = pacer_username.user_id "
        "WHERE pacer_username.username = %s",
        [fold(user_name(member.username))],
    ).fetchall()
    if not found:
        found = connection.execute(
            "SELECT id FROM users WHERE lower(email) = lower(%s) LIMIT 2", [member.email]
        ).fetchall()
    if len(found) > 1:
        problem = "is the address of several users in VISA"
        raise Reject("a member is not clear", fields=[BadField(f"user_list[{place}].email", problem)])
    return found[0][0] if found else None
