"""Numbers with their nouns, as every command and log line writes them."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Give a number with its noun: ``1 message``, ``1,200 messages``; ``plural`` where an s does not do."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
