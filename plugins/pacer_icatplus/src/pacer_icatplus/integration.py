"""The integration ``icatPlus``: how the core opens, checks and judges it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from pacer_core import IntegrationType, redact
from pacer_http import HttpClient, is_away
from pacer_icatplus.client import IcatPlus
from pacer_icatplus.options import IcatPlusOptions

_CHATTY = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy")
"""Loggers that name the address of each request, whose path holds the key."""


@contextmanager
def open_icatplus(options: IcatPlusOptions) -> Iterator[IcatPlus]:
    """Give the client of a process; asks ICAT+ nothing until a task does."""
    with (
        _hidden(),
        HttpClient("ICAT+", options.url, timeout=options.timeout, ca_file=options.ca_file) as http,
    ):
        yield IcatPlus(options, http)


@contextmanager
def _hidden() -> Iterator[None]:
    """Hide secrets in what the HTTP library logs, whoever listens and whatever writes it down."""
    hiding = _Hiding()
    for name in _CHATTY:
        logging.getLogger(name).addFilter(hiding)
    try:
        yield
    finally:
        for name in _CHATTY:
            logging.getLogger(name).removeFilter(hiding)


class _Hiding(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), ()
        return True


ICATPLUS: IntegrationType[IcatPlus] = IntegrationType(
    name="icatPlus",
    options=IcatPlusOptions,
    open=open_icatplus,
    check=IcatPlus.check,
    is_away=is_away,
)
"""``ctx[ICATPLUS]`` is the `IcatPlus` of the process."""
