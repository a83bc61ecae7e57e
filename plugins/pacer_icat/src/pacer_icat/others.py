"""Other writers: what they come in between of is done again, until they do not."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

from pacer_core import Retry
from pacer_icat.faults import IcatFault

T = TypeVar("T")

TRIES = 8


def despite_others(
    work: Callable[[], T],
    why: str,
    *,
    tries: int = TRIES,
    also: Collection[str] = (),
    nested: bool = False,
) -> T:
    """Do a piece of idempotent work, which looks before it writes, until nobody else comes in between.

    ``why`` is what one reads where the message has to wait for them, ``also`` are the types of refusals that
    tell of another writer beside those of a duplicate. Where ``nested`` objects are created with their
    children, these may contradict each other, and then nobody else is there.

    Raises
    ------
    IcatFault
        Where ICAT refuses for a reason other than another writer.
    Retry
        Where other writers come in between again and again.
    """
    return until_stable(lambda: (work(), False), why, tries=tries, also=also, nested=nested)


def until_stable(
    work: Callable[[], tuple[T, bool]],
    why: str,
    *,
    tries: int = TRIES,
    also: Collection[str] = (),
    nested: bool = False,
) -> T:
    """Do as `despite_others`, until there is nothing to write: ``work`` tells whether there was.

    So that of two writers the later one finds what the earlier one has overwritten.
    """
    refusal: IcatFault | None = None
    for _ in range(tries):
        try:
            result, wrote = work()
        except IcatFault as fault:
            if not (fault.is_duplicate or fault.type in also):
                raise
            refusal = fault
        else:
            if not wrote:
                return result
    if nested and refusal is not None and refusal.type == "INTERNAL":
        raise refusal
    raise Retry(why)
