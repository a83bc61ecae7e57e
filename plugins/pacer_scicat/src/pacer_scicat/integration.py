"""The integration ``scicat``: how the core opens, checks and judges it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pacer_core import IntegrationType, Seen, Use
from pacer_http import HttpClient, is_away
from pacer_scicat.client import Scicat
from pacer_scicat.options import ScicatOptions


@contextmanager
def open_scicat(options: ScicatOptions) -> Iterator[Scicat]:
    """Give the client of a process; asks SciCat nothing until a task does."""
    with HttpClient("SciCat", options.root, timeout=options.timeout, ca_file=options.ca_file) as http:
        yield Scicat(options, http)


def examine(scicat: Scicat, _: Sequence[Use]) -> Sequence[Seen]:
    """Say who PACER is there."""
    return scicat.examine()


SCICAT: IntegrationType[Scicat] = IntegrationType(
    name="scicat",
    options=ScicatOptions,
    open=open_scicat,
    check=Scicat.check,
    examine=examine,
    is_away=is_away,
)
"""``ctx[SCICAT]`` is the `Scicat` of the process."""
