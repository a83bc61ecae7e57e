"""The integration ``panosc``: how the core opens, checks and judges it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pacer_core import IntegrationType
from pacer_http import HttpClient, is_away
from pacer_panosc.client import Panosc
from pacer_panosc.options import PanoscOptions


@contextmanager
def open_panosc(options: PanoscOptions) -> Iterator[Panosc]:
    """Give the client of a process; asks nothing until a task does."""
    account = None
    if options.username is not None and options.password is not None:
        account = (options.username, options.password)
    with (
        HttpClient(
            "the search API",
            options.search_url,
            account=account,
            timeout=options.timeout,
            ca_file=options.ca_file,
        ) as search,
        HttpClient(
            "the scoring service",
            options.scoring_url,
            account=account,
            timeout=options.timeout,
            ca_file=options.ca_file,
        ) as scoring,
    ):
        yield Panosc(options, search, scoring)


PANOSC: IntegrationType[Panosc] = IntegrationType(
    name="panosc", options=PanoscOptions, open=open_panosc, check=Panosc.check, is_away=is_away
)
"""``ctx[PANOSC]`` is the `Panosc` of the process."""
