"""One writer per investigation: several deadlock in ICAT's database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pacer_core import Context, Key
from pacer_icat.collation import fold
from pacer_icat.integration import ICAT

SPACE = "investigation"


def investigation_key(of: Callable[[Any], str | int | None], *, ordered: bool = False) -> Key:
    """Key messages by their investigation.

    ``of(message)`` gives the investigation's name, its id in ICAT, or ``None``. The key is the name as ICAT
    compares names, so that all visits of a proposal share a lane; an id is looked up, and gives no key where
    ICAT does not know it.
    """

    def key(message: Any, ctx: Context) -> str | None:
        investigation = of(message)
        if isinstance(investigation, int):
            investigation = ctx[ICAT].shared.catalogue.investigation_name(investigation)
        return None if investigation is None else fold(investigation)

    return Key(SPACE, of=key, ordered=ordered)


def dataset_key(of: Callable[[Any], int], *, ordered: bool = False) -> Key:
    """Key messages about a dataset of ICAT by its investigation; ``of(message)`` gives the dataset's id."""

    def key(message: Any, ctx: Context) -> str | None:
        name = ctx[ICAT].shared.catalogue.investigation_of_dataset(of(message))
        return None if name is None else fold(name)

    return Key(SPACE, of=key, ordered=ordered)
