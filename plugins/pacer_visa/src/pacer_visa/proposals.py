"""The task that keeps a proposal, its experiment and its members in VISA; it joins ``investigations``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pacer_core import BadField, Context, NotYet, Planned, Reject, task
from pacer_icat import Investigation, Member, check_period, fold, user_name
from pacer_visa.client import Visa
from pacer_visa.columns import cut, planned, whole
from pacer_visa.integration import VISA
from pacer_visa.keys import experiment_id, proposal_id
from pacer_visa.options import ProposalOptions
from pacer_visa.own import are_there, is_news, is_overtaken, stamp_of

if TYPE_CHECKING:
    from psycopg import Connection


def foresee_proposal(investigation: Investigation, ctx: Context) -> list[Planned]:
    """Say what `sync_visa_proposal` would do; VISA's database refuses changes meanwhile."""
    if not investigation.visa_sync:
        return [Planned(f"investigation {investigation.name!r}", "left-out", "it is not for VISA")]
    visa = ctx[VISA]
    proposal, experiment = _keys(investigation, visa)
    stamp, name = stamp_of(ctx), fold(investigation.name)
    said: list[Planned] = []
    with visa.reading() as connection:
        known = are_there(connection)
        if known and is_overtaken(connection, f"proposal:{proposal}", stamp):
            said.append(Planned(f"proposal {proposal}", "left-out", "VISA has a newer message about it"))
        else:
            _is_its_own(connection, proposal, name)
            row = _proposal_row(proposal, investigation, visa, ctx.options, ctx)
            what = f"proposal {proposal}"
            said.append(planned(connection, what, "proposal", proposal, _PROPOSAL, row[1:]))
        if known and is_overtaken(connection, f"experiment:{experiment}", stamp):
            return [
                *said,
                Planned(f"experiment {experiment}", "left-out", "VISA has a newer message about it"),
            ]
        _is_its_own_visit(connection, experiment, name)
        row = _experiment_row(connection, experiment, proposal, investigation, visa, ctx)
        what = f"experiment {experiment}"
        said.append(planned(connection, what, "experiment", experiment, _EXPERIMENT, row[1:]))
        wanted, missing = _users_of(connection, investigation.user_list, names=known)
        said += _foresee_members(connection, experiment, wanted)
    if missing:  # the others would be written
        raise _awaited(missing, investigation)
    return said


def _foresee_members(
    connection: Connection[Any], experiment: str, wanted: Sequence[str]
) -> Iterator[Planned]:
    found = connection.execute(
        "SELECT user_id FROM experiment_user WHERE experiment_id = %s", [experiment]
    ).fetchall()
    held = {user for (user,) in found}
    if new := len(set(wanted) - held):
        yield Planned(f"{new} of the members", "new")
    if there := len(held & set(wanted)):
        yield Planned(f"{there} of the members", "there")
    if gone := len(held - set(wanted)):
        yield Planned(f"{gone} of the members", "removed")


@task(needs=[VISA], options=ProposalOptions, plan=foresee_proposal)
def sync_visa_proposal(investigation: Investigation, ctx: Context) -> None:
    """Write a proposal, its experiment and the experiment's members; older messages change nothing.

    Members whom VISA does not know yet keep the message waiting; the others are members in the meantime.
    """
    if not investigation.visa_sync:
        return
    visa, options = ctx[VISA], ctx.options
    proposal, experiment = _keys(investigation, visa)
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
        raise _awaited(missing, investigation)


def _awaited(missing: int, investigation: Investigation) -> NotYet:
    return NotYet(f"members are not in VISA yet: {missing} of {len(investigation.user_list)}")


def _keys(investigation: Investigation, visa: Visa) -> tuple[int, str]:
    """Give VISA's ids of the proposal and the experiment of an investigation that is fit for it."""
    if bad := check_period(investigation.start_date, investigation.end_date, visa.zone):
        raise Reject("the investigation has bad fields", fields=bad)
    return proposal_id(investigation), experiment_id(investigation.name, investigation.visit_id)


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
        _proposal_row(proposal, investigation, visa, options, ctx),
    )


_PROPOSAL = ("identifier", "title", "summary", "public_at")


def _proposal_row(
    proposal: int, investigation: Investigation, visa: Visa, options: ProposalOptions, ctx: Context
) -> tuple[Any, ...]:
    """Give the id of a proposal, and its `_PROPOSAL`."""
    return (
        proposal,
        whole("proposal.identifier", "name", investigation.name),
        cut(ctx, "proposal.title", investigation.title),
        cut(ctx, "proposal.summary", investigation.summary),
        visa.clock(investigation.release_date(options.embargo_years)),
    )


def _write_experiment(
    connection: Connection[Any],
    experiment: str,
    proposal: int,
    investigation: Investigation,
    visa: Visa,
    ctx: Context,
) -> None:
    connection.execute(
        "INSERT INTO experiment AS known (id, instrument_id, proposal_id, start_date, end_date, title) "
        "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET "
        "instrument_id = EXCLUDED.instrument_id, proposal_id = EXCLUDED.proposal_id, "
        "start_date = EXCLUDED.start_date, end_date = EXCLUDED.end_date, title = EXCLUDED.title WHERE "
        "(known.instrument_id, known.proposal_id, known.start_date, known.end_date, known.title) "
        "IS DISTINCT FROM (EXCLUDED.instrument_id, EXCLUDED.proposal_id, EXCLUDED.start_date, "
        "EXCLUDED.end_date, EXCLUDED.title)",
        _experiment_row(connection, experiment, proposal, investigation, visa, ctx),
    )


_EXPERIMENT = ("instrument_id", "proposal_id", "start_date", "end_date", "title")


def _experiment_row(
    connection: Connection[Any],
    experiment: str,
    proposal: int,
    investigation: Investigation,
    visa: Visa,
    ctx: Context,
) -> tuple[Any, ...]:
    """Give the id of an experiment, and its `_EXPERIMENT`."""
    found = connection.execute(
        "SELECT id FROM instrument WHERE name = %s LIMIT 2", [investigation.instrument.name]
    ).fetchall()
    if not found:
        raise NotYet(f"VISA has no instrument {investigation.instrument.name!r}")
    if len(found) > 1:
        problem = "is the name of several instruments in VISA"
        raise Reject("the instrument is not clear", fields=[BadField("instrument.name", problem)])
    ((instrument,),) = found
    return (
        experiment,
        instrument,
        proposal,
        *_dates(investigation, visa, ctx),
        cut(ctx, "experiment.title", investigation.title),
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
    wanted, missing = _users_of(connection, members)
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


def _users_of(
    connection: Connection[Any], members: Sequence[Member], *, names: bool = True
) -> tuple[list[str], int]:
    """Give VISA's users of some members, and how many are not known; without ``names`` by address alone."""
    known = [_user_of(connection, place, member, names=names) for place, member in enumerate(members)]
    return sorted({user for user in known if user is not None}), known.count(None)


def _user_of(connection: Connection[Any], place: int, member: Member, *, names: bool) -> str | None:
    """Give VISA's user of a member: by the user name of their own message, else by their address."""
    found = []
    if names:
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
