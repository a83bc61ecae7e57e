"""The message: what the user office says about one visit of a proposal."""

from __future__ import annotations

from datetime import datetime

from attrs import field, frozen, validators

from pacer_core import Text, element
from pacer_icat.datasets.message import Parameter
from pacer_icat.fields import Date, is_date, read_date

EMBARGO_YEARS = 3


@frozen
class Instrument:
    """Where the visit takes place: ICAT knows it by its code, VISA by its name."""

    name: Text
    code: Text


@frozen
class Member:
    """Somebody who takes part, in one role."""

    username: Text
    email: Text
    role: Text


@frozen
class Investigation:
    """One visit of a proposal; ``icat_sync`` and ``visa_sync`` say where it is wanted."""

    name: Text
    start_date: Date = field(converter=read_date, validator=is_date)
    end_date: Date = field(converter=read_date, validator=is_date)
    title: Text
    summary: Text
    type: Text
    instrument: Instrument
    facility: Text | None = None
    user_list: tuple[Member, ...] = ()
    icat_visit_id: Text | None = element("visit_id", default=None)
    visa_visit_id: int | None = field(default=None, validator=validators.optional(validators.gt(0)))
    icat_sync: bool = False
    visa_sync: bool = False
    is_industrial: bool = False
    visit_count: int | None = field(default=None, validator=validators.optional(validators.ge(0)))
    sample_acronyms: tuple[Text, ...] | None = element("sample_acronym", default=None)
    parameters: tuple[Parameter, ...] = element("parameter", default=())

    @property
    def visit_id(self) -> str:
        """The visit in ICAT: the message's own, else the instrument's code in lower case."""
        return self.icat_visit_id or self.instrument.code.lower()

    def release_date(self, embargo_years: int = EMBARGO_YEARS) -> datetime | None:
        """Give when the data become public: so many years after the end; never for industry."""
        return None if self.is_industrial else years_after(self.end_date, embargo_years)


def years_after(time: datetime, years: int) -> datetime:
    """Give the same day and time some years later; 28 February for a 29th that the year does not have."""
    try:
        return time.replace(year=time.year + years)
    except ValueError:
        return time.replace(year=time.year + years, day=28)


def describe(message: Investigation) -> dict[str, str]:
    """Give the identifiers by which people look for the message."""
    return {
        "investigation": message.name,
        "visit": message.visit_id,
        "instrument": message.instrument.code,
    }
