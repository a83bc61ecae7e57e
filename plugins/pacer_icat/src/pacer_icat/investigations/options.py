"""The YAML options of a consumer of type ``investigations``."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen, validators

from pacer_icat.investigations.message import EMBARGO_YEARS
from pacer_icat.users.options import DISABLED_SUFFIX, is_suffix

ROLES = ("Principal investigator", "Proposal scientist", "Local contact", "Participant")


def _are_roles(_: Any, __: Any, roles: tuple[str, ...]) -> None:
    if not roles or not all(role.strip() for role in roles):
        raise ValueError("has to name at least one role, and none of them may be empty")


@frozen
class InvestigationsOptions:
    """How a facility keeps its investigations in ICAT.

    Attributes
    ----------
    embargo_years
        How many years after its end an investigation is released.
    industrial_type
        The investigation type of industry, whose data are never released.
    roles
        The roles that members may have, and that messages alone give and take. The last one is left out for
        whoever has another one as well.
    disabled_suffix
        As for ``users``: a disabled user stays a member.
    visit_count_parameter, sample_acronyms_parameter
        The investigation parameters that hold ``visit_count`` and ``sample_acronyms``; ``null`` for none.
    """

    embargo_years: int = field(default=EMBARGO_YEARS, validator=validators.ge(0))
    industrial_type: str = "INDUSTRIAL"
    roles: tuple[str, ...] = field(default=ROLES, validator=_are_roles)
    disabled_suffix: str = field(default=DISABLED_SUFFIX, validator=is_suffix)
    visit_count_parameter: str | None = "reimbursedParcels"
    sample_acronyms_parameter: str | None = "sampleAcronyms"
