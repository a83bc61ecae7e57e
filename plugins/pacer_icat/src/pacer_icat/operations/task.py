"""The task that checks what is asked for, before the tasks of other plugins do it; and the consumer type."""

from __future__ import annotations

from pacer_core import BadField, ConsumerType, Context, NotYet, Planned, Reject, task
from pacer_icat.catalogue import Investigation
from pacer_icat.integration import ICAT
from pacer_icat.keys import investigation_key
from pacer_icat.operations.checks import awaited, forbidden, read
from pacer_icat.operations.message import InvestigationOperations, describe
from pacer_icat.operations.options import OperationsOptions
from pacer_icat.signals import refusals_settled
from pacer_icat.visits import find_visit


def foresee_check(message: InvestigationOperations, ctx: Context) -> list[Planned]:
    """Say whether the operations are possible; the check itself writes nothing."""
    visit = _checked(message, ctx)
    _leave(visit, ctx)
    return [Planned(f"investigation {visit.id}", "there", f"fit for {', '.join(message.operations)}")]


@task(needs=[ICAT], plan=foresee_check)
def check_investigation(message: InvestigationOperations, ctx: Context) -> None:
    """Find the investigation and check that all operations are possible; writes nothing.

    Tasks that do an operation come after this one: ``after=["check_investigation"]``. It leaves
    ``investigation_id`` and ``visit_id`` in the facts.
    """
    _leave(_checked(message, ctx), ctx)


def _leave(visit: Investigation, ctx: Context) -> None:
    ctx.facts["investigation_id"] = visit.id
    ctx.facts["visit_id"] = visit.visit_id


def _checked(message: InvestigationOperations, ctx: Context) -> Investigation:
    options: OperationsOptions = ctx.options
    unknown = [
        BadField(f"operations[{place}]", f"is none of {', '.join(options.operations)}")
        for place, operation in enumerate(message.operations)
        if operation not in options.operations
    ]
    if not message.operations:
        unknown = [BadField("operations", "are missing")]
    if unknown:
        raise Reject("the operations have bad fields", fields=unknown)
    icat = ctx[ICAT].shared
    with refusals_settled():
        visit = find_visit(icat, message.name, message.visit_id)
        state = read(icat, visit.id)
    refused = [
        BadField(f"operations[{place}]", f"{operation} {reason}")
        for place, operation in enumerate(message.operations)
        for reason in forbidden(state, operation, industrial_type=options.industrial_type)
    ]
    if refused:
        raise Reject("the investigation cannot be published", fields=refused)
    reasons = [
        f"{operation}: {reason}"
        for operation in message.operations
        for reason in awaited(state, message.operations, operation)
    ]
    if reasons:
        raise NotYet("; ".join(reasons))
    return visit


OPERATIONS = ConsumerType(
    name="investigation-operations",
    message=InvestigationOperations,
    tasks=[check_investigation],
    options=OperationsOptions,
    key=investigation_key(lambda message: message.name),
    describe=describe,
)
