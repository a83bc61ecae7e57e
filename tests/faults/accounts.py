"""What became of the messages of one test, or of all, in numbers."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve, frozen


@frozen
class Account:
    """What became of the messages of one test, counted by consumer and correlation id."""

    fault: str
    sent: int = 0
    """Messages, and follow-ups and forwarded ones that had to come of them."""
    done: int = 0
    """With every effect of every task."""
    retry: int = 0
    """In a retry queue, or back in their queue from one."""
    dead: int = 0
    missing: int = 0
    """In none of these places."""
    twice: int = 0
    """With two endings, or more."""
    repeated: int = 0
    """Tasks that ran to their end again, where an acknowledgement or a confirm was lost."""
    excused: int = 0
    """Messages that the broker has delivered or dead-lettered again, or of which a copy was not confirmed."""


def total(accounts: Iterable[Account]) -> Account:
    """Add accounts up."""
    whole = Account("all")
    for one in accounts:
        sums = {
            name: getattr(whole, name) + getattr(one, name)
            for name in ("sent", "done", "retry", "dead", "missing", "twice", "repeated", "excused")
        }
        whole = evolve(whole, **sums)
    return whole
