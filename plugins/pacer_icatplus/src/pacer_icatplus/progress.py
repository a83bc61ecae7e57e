"""How far a gallery has come, kept in ICAT where the portal reads it.

Two parameters of the dataset: `PATHS`, joined by commas, and `IDS`, joined by blanks; the portal shows the
n-th id with the n-th path. They are two writes, and a message may replace the paths at any time. So the
parameter with the ids says in its field ``error``, which means nothing for text, which paths they belong to:
a checksum. It is written first.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from attrs import define, frozen

from pacer_core import NotYet, Retry
from pacer_icat import Bean, IcatClient, IcatFault, fold, parameter_type, ref, settled
from pacer_icatplus.files import PATHS, split

IDS = "ResourcesGallery"
_MARK = "error"
_ID_LENGTH = 24
"""Characters of ICAT+'s ids: those of MongoDB."""


@frozen
class Image:
    """A file that ICAT+ has."""

    path: str
    id: str


@define
class Progress:
    """The two parameters of one dataset, and what they say."""

    _icat: IcatClient
    _dataset: int
    _types: dict[str, Any]
    _records: dict[str, Any]
    images: tuple[Image, ...]

    def has_room_for(self, *more: str) -> bool:
        """Tell whether so many files more fit into both parameters."""
        longest = self._icat.shared.wire.schema.length("DatasetParameter", "stringValue")
        ids = [*(image.id for image in self.images), *("x" * _ID_LENGTH for _ in more)]
        paths = [*(image.path for image in self.images), *more]
        return longest is None or max(len(" ".join(ids)), len(",".join(paths))) <= longest

    def missing(self, paths: Sequence[str]) -> list[str]:
        """Give those of some files that ICAT+ does not have."""
        there = {image.path for image in self.images}
        return [path for path in paths if path not in there]

    @property
    def is_torn(self) -> bool:
        """Whether the paths do not fit the ids: a crash came between, or a message."""
        record = self._records.get(PATHS)
        return bool(self.images) and (record is None or record["stringValue"] != self._joined)

    @property
    def _joined(self) -> str:
        return ",".join(image.path for image in self.images)

    def mend(self) -> None:
        """Write the paths again where they do not fit the ids."""
        if self.is_torn:
            self._write(PATHS, {"stringValue": self._joined})

    def add(self, image: Image) -> None:
        """Write down that ICAT+ has one more file.

        Raises
        ------
        Retry
            Where another process is writing the same gallery.
        """
        images = (*self.images, image)
        ids = {"stringValue": " ".join(one.id for one in images), _MARK: _mark([one.path for one in images])}
        paths = {"stringValue": ",".join(one.path for one in images)}
        wire = self._icat.shared.wire
        try:
            if not self._records:
                # Both in one transaction.
                beans = [self._bean(IDS, ids), self._bean(PATHS, paths)]
                created = wire.create_many(beans)
                self._records = dict(zip((IDS, PATHS), map(self._read, created), strict=True))
            else:
                self._write(IDS, ids)
                self._write(PATHS, paths)
        except IcatFault as fault:
            if fault.is_duplicate:
                raise Retry("another process is writing the gallery of the same dataset") from fault
            raise settled(fault) from fault
        self.images = images

    def _write(self, name: str, values: dict[str, Any]) -> None:
        record = self._records.get(name)
        if record is None:
            self._records[name] = self._read(self._icat.shared.wire.create(self._bean(name, values)))
        else:
            self._icat.shared.wire.update(record, **values)

    def _bean(self, name: str, values: dict[str, Any]) -> Bean:
        kind = parameter_type(self._types[name])
        return Bean("DatasetParameter", {"dataset": ref("Dataset", self._dataset), "type": kind, **values})

    def _read(self, id: int) -> Any:  # noqa: A002 - ICAT's word
        record = self._icat.shared.wire.read("DatasetParameter", id)
        if record is None:
            raise Retry("a parameter of the gallery was deleted meanwhile")
        return record


def load(icat: IcatClient, dataset: int, wanted: Sequence[str]) -> Progress:
    """Read how far the gallery of a dataset has come, on its way to the ``wanted`` paths; writes nothing.

    Raises
    ------
    NotYet
        Where ICAT has no such parameter types.
    """
    found = icat.shared.catalogue.parameter_types((IDS, PATHS))
    types: dict[str, Any] = {}
    for name in (IDS, PATHS):
        for one in found.get(fold(name), ()):
            if one.value_type == "STRING" and "Dataset" in one.applicable_to:
                types.setdefault(name, one.record)
    if missing := [name for name in (IDS, PATHS) if name not in types]:
        raise NotYet(
            f"ICAT has no parameter type of text, applicable to datasets, named {', '.join(missing)}"
        )
    rows = icat.shared.wire.search(
        "SELECT p FROM DatasetParameter p WHERE p.dataset.id = :dataset AND p.type.id IN (:types) INCLUDE 1",
        dataset=dataset,
        types=[types[name].id for name in (IDS, PATHS)],
    )
    names = {types[name].id: name for name in (IDS, PATHS)}
    records = {names[row["type"].id]: row for row in rows}
    ids, paths = records.get(IDS), records.get(PATHS)
    images = _paired(
        split((paths and paths["stringValue"]) or ""),
        ((ids and ids["stringValue"]) or "").split(),
        ids and ids[_MARK],
        wanted,
    )
    return Progress(icat, dataset, types, records, images)


def _paired(paths: list[str], ids: list[str], mark: float | None, wanted: Sequence[str]) -> tuple[Image, ...]:
    """Give the files that ICAT+ has; none where the paths have been replaced since."""
    if mark is None:
        # Written by another program, both of them or none.
        return tuple(map(Image, paths, ids)) if len(paths) == len(ids) else ()
    candidates = [paths[: len(ids)], list(wanted[: len(ids)])]
    if len(paths) == len(ids) - 1:
        # Stopped between the two writes: the last id belongs to a path that was not written down.
        candidates += [[*paths, one] for one in wanted if one not in paths]
    for one in candidates:
        if len(one) == len(ids) and _mark(one) == mark:
            return tuple(map(Image, one, ids))
    return ()


def _mark(paths: Sequence[str]) -> float:
    return float(zlib.crc32("\0".join(paths).encode()))
