"""The integration ``visa``: how the core opens, checks and judges it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pacer_core import IntegrationType
from pacer_visa.client import Visa
from pacer_visa.faults import VisaAway
from pacer_visa.options import VisaOptions


@contextmanager
def open_visa(options: VisaOptions) -> Iterator[Visa]:
    """Give one process its pool of connections."""
    visa = Visa(options)
    visa.open()
    try:
        yield visa
    finally:
        visa.close()


def is_away(error: BaseException) -> bool:
    """Tell whether an error says that VISA's database is away, rather than that a message is bad."""
    return isinstance(error, VisaAway)


VISA: IntegrationType[Visa] = IntegrationType(
    name="visa", options=VisaOptions, open=open_visa, per="process", check=Visa.check, is_away=is_away
)
"""``ctx[VISA]`` is the process's `Visa`."""
