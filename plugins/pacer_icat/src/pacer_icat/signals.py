"""Refusals of ICAT in the core's words: what a message can wait for, and what it dies of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pacer_core import Reject, Retry
from pacer_icat.catalogue import Catalogue
from pacer_icat.faults import IcatFault

T = TypeVar("T")


def settled(fault: IcatFault) -> Retry | Reject:
    """Give what a refusal means for the message."""
    if fault.type == "INSUFFICIENT_PRIVILEGES":
        return Retry(f"{fault}; give PACER's account the rights it needs")
    return Reject(str(fault))


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
    try:
        return work()
    except IcatFault as fault:
        raise settled(fault) from fault
