"""One run of the checks: every investigation that has just ended, looked at, and what it lacks sent for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from attrs import define, field, frozen
from django.db import transaction
from django.db.models import F

from pacer_core import BrokerByHand, PacerError, Posting
from pacer_dashboard.again import broker
from pacer_dashboard.checks import icat as asked
from pacer_dashboard.checks.icat import Investigation
from pacer_dashboard.checks.options import CheckOptions
from pacer_dashboard.checks.panosc import Scoring
from pacer_dashboard.models import CheckRun, InvestigationCheck, InvestigationLook
from pacer_dashboard.models.checks import Finding

MINT, CREATE = "mint-proposal", "create-panosc-item"
_TOGETHER = 50


@frozen
class Look:
    """What one look at an investigation has found, and what has to be done about it."""

    investigation: Investigation
    doi: Finding
    panosc: Finding

    @property
    def operations(self) -> tuple[str, ...]:
        """The operations for what is known to be missing; none for what is not known."""
        wanted = ((self.doi, MINT), (self.panosc, CREATE))
        return tuple(operation for finding, operation in wanted if finding == Finding.MISSING)

    @property
    def body(self) -> bytes:
        """The message to the consumer of investigation operations."""
        one = self.investigation
        return json.dumps(
            {"name": one.name, "visit_id": one.visit_id, "operations": [*self.operations]}
        ).encode()


@define
class Report:
    """What a run has done; of a dry run, what it would have."""

    looks: list[Look] = field(factory=list)
    sent: list[Look] = field(factory=list)
    failed: list[tuple[Look, str]] = field(factory=list)
    waiting: list[Look] = field(factory=list)
    """Those whose operations are under way since a short time."""
    notes: list[str] = field(factory=list)
    trouble: str = ""

    @property
    def unknown(self) -> int:
        """Of how many investigations something could not be found out."""
        return sum(Finding.UNKNOWN in (one.doi, one.panosc) for one in self.looks)


def run(
    options: CheckOptions,
    *,
    name: str | None = None,
    visit_id: str | None = None,
    dry_run: bool = False,
    now: datetime | None = None,
    opened: Callable[[], BrokerByHand] = broker.opened,
) -> Report:
    """Check all investigations of the window, or one by its name; a dry run writes and sends nothing.

    Raises
    ------
    PacerError
        Where ICAT is away: nothing is known then, and nothing is sent.
    """
    now = now or datetime.now(UTC)
    report = Report()
    # A look at one is none of the runs that are due each day, and that `check-overdue` counts.
    begun = None if dry_run or name is not None else CheckRun.objects.create(at=now)
    try:
        _look(options, report, name, visit_id, now)
        if not dry_run:
            for look in report.looks:
                _note(look, now)
            _send(options, report, now, opened)
            if name is None:
                _settle(report, now - timedelta(days=options.days))
    except BaseException as error:
        known = isinstance(error, PacerError)
        report.trouble = str(error) if known else f"it ended with {type(error).__name__}: its log has more"
        raise
    finally:
        if begun is not None:
            CheckRun.objects.filter(id=begun.id).update(
                finished_at=datetime.now(UTC),
                looked=len(report.looks),
                lacking=sum(bool(one.operations) for one in report.looks),
                unknown=report.unknown,
                sent=len(report.sent),
                failed=len(report.failed),
                trouble=report.trouble,
            )
    return report


def _look(
    options: CheckOptions, report: Report, name: str | None, visit_id: str | None, now: datetime
) -> None:
    from pacer_icat import connect

    with connect(options.icat) as icat, Scoring(options) as scoring:
        found: Iterable[Investigation]
        if name is None:
            found = asked.ended(icat, options.days, options.left_out, now)
        else:
            found = asked.named(icat, name, visit_id)
            if not found:
                report.notes.append(f"ICAT has no investigation {name!r}" + _visit(visit_id))
        for one in found:
            if one.ended > now:
                report.notes.append(f"{one.name} {one.visit_id} has not ended yet: nothing is checked")
                continue
            doi = Finding.PRESENT if one.doi else Finding.MISSING
            report.looks.append(Look(one, doi, scoring.finding(one.name, one.visit_id)))
        report.trouble = scoring.trouble
    if options.panosc_url is None:
        report.notes.append("PANOSC_API_URL is not set: what PaNOSC has is unknown")


def _visit(visit_id: str | None) -> str:
    return "" if visit_id is None else f" with visit {visit_id!r}"


def _note(look: Look, now: datetime) -> None:
    """Write down what was found; in the history, where it is something else than before."""
    one = look.investigation
    with transaction.atomic():
        check, new = InvestigationCheck.objects.get_or_create(
            investigation=one.name,
            visit_id=one.visit_id,
            defaults={"ended": one.ended, "first_check": now, "last_check": now},
        )
        changed = new or (check.doi, check.panosc) != (look.doi, look.panosc)
        InvestigationCheck.objects.filter(id=check.id).update(
            doi=look.doi,
            panosc=look.panosc,
            ended=one.ended,
            last_check=now,
            checks=F("checks") + 1,
            note="",
            settled=look.doi == look.panosc == Finding.PRESENT,
        )
        if changed:
            InvestigationLook.objects.create(check_of=check, at=now, doi=look.doi, panosc=look.panosc)


def _send(options: CheckOptions, report: Report, now: datetime, opened: Callable[[], BrokerByHand]) -> None:
    """Send the operations of what lacks something, and write each down once the broker has confirmed it."""
    due: list[Look] = []
    for look in report.looks:
        if look.operations:
            (report.waiting if _is_under_way(look, now - options.again) else due).append(look)
    if not due:
        return
    with opened() as broker_:
        for begin in range(0, len(due), _TOGETHER):
            some = due[begin : begin + _TOGETHER]
            ids = [str(uuid4()) for _ in some]
            said = broker_.publish_each(_postings(options, some, ids))
            for look, id_, error in zip(some, ids, said, strict=True):
                if error is not None:
                    report.failed.append((look, str(error)))
                else:
                    report.sent.append(look)
                _note_sent(look, now, id_, "" if error is None else str(error))
            if report.failed:
                report.trouble = report.failed[0][1]


def _postings(options: CheckOptions, looks: Sequence[Look], ids: Sequence[str]) -> list[Posting]:
    return [
        Posting(
            options.exchange,
            options.routing_key,
            look.body,
            content_type="application/json",
            correlation_id=id_,
        )
        for look, id_ in zip(looks, ids, strict=True)
    ]


def _of(look: Look) -> InvestigationCheck:
    one = look.investigation
    return InvestigationCheck.objects.get(investigation=one.name, visit_id=one.visit_id)


def _is_under_way(look: Look, since: datetime) -> bool:
    """Tell whether the same operations have been sent a short time ago."""
    last = _of(look).looks.exclude(sent_as="").order_by("-id").first()
    return last is not None and last.at > since and last.operations == [*look.operations]


def _note_sent(look: Look, now: datetime, id_: str, trouble: str) -> None:
    check = _of(look)
    with transaction.atomic():
        InvestigationLook.objects.create(
            check_of=check,
            at=now,
            doi=look.doi,
            panosc=look.panosc,
            operations=[*look.operations],
            sent_as="" if trouble else id_,
            note=trouble,
        )
        if trouble:
            InvestigationCheck.objects.filter(id=check.id).update(note=trouble)
        else:
            InvestigationCheck.objects.filter(id=check.id).update(sent=F("sent") + 1)


def _settle(report: Report, begin: datetime) -> None:
    """Let those rest whose time is over: what they lack is a person's to look at."""
    over = InvestigationCheck.objects.filter(settled=False, ended__lte=begin)
    over.update(settled=True, note="it is not looked after any more: its days are over")
    seen = {(one.investigation.name, one.investigation.visit_id) for one in report.looks}
    for check in InvestigationCheck.objects.filter(settled=False):
        if (check.investigation, check.visit_id) not in seen:
            InvestigationCheck.objects.filter(id=check.id).update(
                settled=True, note="ICAT has it no more among those that have ended"
            )
