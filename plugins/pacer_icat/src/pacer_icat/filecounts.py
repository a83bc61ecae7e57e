"""Who keeps ``fileCount`` and ``fileSize``: triggers in ICAT's database, or PACER.

ICAT itself says nothing about it, so it is seen: a dataset that was just created with files has a count, or
has what was sent. Triggers add to what is sent; so PACER sends counts only where it has seen that there are
none. What is written afterwards, for a dataset whose count is not that of its files, is right in both cases.
"""

from __future__ import annotations

import logging
from typing import Literal

from pacer_icat.cache import Cache
from pacer_icat.options import IcatOptions
from pacer_icat.wire import Wire

log = logging.getLogger("pacer.icat")

Keeper = Literal["database", "pacer"]

_HOLDS = 600.0
"""Seconds after which is looked again: triggers may have been installed, or removed."""

TRIGGERS = "ICAT's database keeps fileCount and fileSize by triggers"
NO_TRIGGERS = "ICAT's database does not keep fileCount and fileSize (it has no triggers for them)"


class FileCounts:
    """What is known of one ICAT, shared by the threads of a process."""

    def __init__(self, options: IcatOptions, wire: Wire) -> None:
        self._option = options.file_counts
        self._wire = wire
        self._seen: Cache[None, Keeper] = Cache(seconds=_HOLDS)
        self._told: Keeper | None = None

    @property
    def keeper(self) -> Keeper | None:
        """Who keeps them, as the options say or as was seen; ``None`` where nobody knows yet."""
        return self._seen.get(None) if self._option == "auto" else self._option

    def are_ours(self, entity: str) -> bool:
        """Tell whether a wrong count of an entity is PACER's to correct: unless the database keeps them."""
        return self.keeper != "database" and self._wire.schema.has(entity, "fileCount")

    def are_sent(self, entity: str) -> bool:
        """Tell whether a new object is sent with its counts: nothing will add to them."""
        return self.are_ours(entity) and self._seen.get(None) == "pacer"

    def look(self, dataset: int, files: int) -> None:
        """Look what became of the count of a dataset that was created with files, and without a count."""
        if not files or self._seen.get(None) is not None or not self._wire.schema.has("Dataset", "fileCount"):
            return
        found = self._wire.search("SELECT d.fileCount FROM Dataset d WHERE d.id = :id", id=dataset)
        count = (found[0] or 0) if found else None
        if count == files:
            self._learn("database")
        elif count == 0:
            self._learn("pacer")
        # Anything else: somebody is adding files. The next dataset tells.

    def _learn(self, keeper: Keeper) -> None:
        self._seen.put(None, keeper)
        if self._told == keeper:
            return
        self._told = keeper
        if self._option == "auto":
            log.info("%s", TRIGGERS if keeper == "database" else f"{NO_TRIGGERS}: PACER writes them")
        elif self._option != keeper:
            what = TRIGGERS if keeper == "database" else f"{NO_TRIGGERS}, and they stay as they are"
            log.warning(
                "%s, but 'fileCounts' of the integration says %r: leave it out, and PACER does what is right",
                what,
                self._option,
            )
