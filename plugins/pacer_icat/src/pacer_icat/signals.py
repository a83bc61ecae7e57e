"""Refusals of ICAT in the core's words: what a message can wait for, and what it dies of."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

from pacer_core import Reject, Retry
from pacer_icat.catalogue import Catalogue
from pacer_icat.faults import IcatAway, IcatFault, without_values

log = logging.getLogger("pacer.icat")

T = TypeVar("T")

_NUMBER = re.compile(r"\d+")


def settled(fault: IcatFault) -> Retry | Reject:
    """Give what a refusal means for the message: dead only where it is known that the message is to blame."""
    if fault.type == "INSUFFICIENT_PRIVILEGES":
        return Retry(f"{fault}; give PACER's account the rights it needs")
    if fault.is_about_what_was_sent:
        return Reject(str(fault))
    if fault.is_away:
        return IcatAway(str(fault), counted=False)
    _name(fault.call, fault.type, _NUMBER.sub("N", without_values(fault.message)))
    return Retry(str(fault))


@lru_cache(maxsize=256)  # that is: once
def _name(call: str, type_: str, words: str) -> None:
    log.warning(
        "ICAT refuses %s with words that PACER does not know: %s: %s; it is tried again; look into "
        "ICAT's log",
        call or "a call",
        type_,
        words or "none at all",
    )


@contextmanager
def refusals_settled() -> Iterator[None]:
    """Raise what a refusal of ICAT means for the message in its place."""
    try:
        yield
    except IcatFault as fault:
        raise settled(fault) from fault


def looking_again(catalogue: Catalogue, work: Callable[[], T]) -> T:
    """Do a piece of idempotent work; where ICAT refuses, once more with fresh look-ups.

    What was remembered may be gone, and ICAT then answers with all kinds of faults.

    Raises
    ------
    Retry, Reject
        Where ICAT refuses again.
    """
    try:
        return work()
    except IcatFault:
        catalogue.forget()
    with refusals_settled():
        return work()
