"""Which letters are meant: all that is asked for has to fit."""

from __future__ import annotations

import re
from datetime import datetime

from attrs import frozen

from pacer_core.transport.letters import DeadLetter


@frozen
class Wanted:
    """Which letters are meant; everything that is given has to fit."""

    ids: tuple[str, ...] = ()
    """Beginnings of ids, or whole correlation ids: one of them has to fit."""
    consumer: str | None = None
    error: str | None = None
    """A text or a regular expression, in the error or in one of its fields, whatever the case."""
    correlation_id: str | None = None
    about: str | None = None
    """What the consumer type says that it is about: ``name=value``, or the value alone, whatever the case."""
    before: datetime | None = None
    after: datetime | None = None

    def __call__(self, letter: DeadLetter) -> bool:
        """Say whether a letter is meant. One whose time is unknown fits no limit of time."""
        if self.ids and not any(_named(letter, one) for one in self.ids):
            return False
        if self.consumer is not None and letter.consumer != self.consumer:
            return False
        if self.correlation_id is not None and letter.envelope.correlation_id != self.correlation_id:
            return False
        if self.about is not None and not _is_about(letter, self.about.casefold()):
            return False
        if self.before is not None and not (letter.since and letter.since < self.before):
            return False
        if self.after is not None and not (letter.since and letter.since >= self.after):
            return False
        return self.error is None or any(_says(line, self.error) for line in (letter.error, *letter.fields))


def _is_about(letter: DeadLetter, wanted: str) -> bool:
    return any(
        wanted in (value.casefold(), f"{name}={value}".casefold()) for name, value in letter.about.items()
    )


def _named(letter: DeadLetter, name: str) -> bool:
    return letter.id.startswith(name.lower()) or letter.envelope.correlation_id == name


def _says(line: str, wanted: str) -> bool:
    if wanted.casefold() in line.casefold():
        return True
    try:
        return re.search(wanted, line, re.IGNORECASE) is not None
    except re.error:
        return False
