"""By what VISA knows the proposal and the experiment of an investigation: built in one place."""

from __future__ import annotations

from pacer_core import BadField, Reject
from pacer_icat import Investigation
from pacer_visa.columns import whole

_LARGEST = 2**63 - 1  # proposal.id is a bigint
_MOST_DIGITS = 40  # Python refuses to read some thousands


def proposal_id(investigation: Investigation) -> int:
    """Give VISA's number of a proposal: the message's own, else the digits of its name.

    Raises
    ------
    Reject
        Where the message gives none and the name is no number.
    """
    number = investigation.visa_visit_id
    if number is None:
        digits = investigation.name.replace("-", "")
        if not (digits.isascii() and digits.isdigit()):
            problem = "is missing, and the proposal's name is no number that could stand for it"
            raise Reject("VISA knows proposals by number", fields=[BadField("visa_visit_id", problem)])
        number = int(digits) if len(digits) <= _MOST_DIGITS else _LARGEST + 1
    if not 0 < number <= _LARGEST:
        raise Reject(
            "VISA knows proposals by number",
            fields=[BadField("visa_visit_id", f"is not between 1 and {_LARGEST}")],
        )
    return number


def experiment_id(name: str, visit: str) -> str:
    """Give VISA's id of an experiment: the proposal's name and the visit, ``20250330096/bl06``.

    Raises
    ------
    Reject
        Where it is longer than VISA's 32 characters.
    """
    return whole("experiment.id", "name", f"{name}/{visit}")
