"""The YAML options of the task ``store_scicat_dataset``."""

from __future__ import annotations

import os
import string
from datetime import timedelta
from typing import Any, Literal

from attrs import field, frozen, validators

KNOWN = frozenset({"investigation", "instrument", "name", "location", "sample"})
"""What templates may name."""


def _is_template(_: Any, __: Any, text: str) -> None:
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    except ValueError as error:
        raise ValueError(f"is no template: {error}") from None
    if wrong := sorted(names - KNOWN):
        raise ValueError(f"names {{{wrong[0]}}}; there are {', '.join(sorted(KNOWN))}")
    if not text.strip():
        raise ValueError("is empty")


def _is_absolute(_: Any, __: Any, path: str) -> None:
    if not os.path.isabs(path):
        raise ValueError(f"{path!r} is no absolute path")


@frozen
class ScicatDatasetOptions:
    """How a dataset message becomes a dataset of SciCat.

    Templates may name ``{investigation}``, ``{instrument}``, ``{name}``, ``{location}`` and ``{sample}``.

    Attributes
    ----------
    contact_email
        An address, or several with ``;`` between; by default that of PACER's account in SciCat.
    owner, principal_investigator, owner_group, creation_location, dataset_name, source_folder
        Templates of the fields of those names.
    access_groups
        Templates of further groups that may see it.
    pid_prefix
        What stands before a pid; what stands behind is made from investigation, location and name.
    instruments
        The pids of instruments, by the names that messages have for them; others are looked up by name.
    samples
        Whether the message's sample is looked for in SciCat (``find``), created where it is not there
        (``create``), or is metadata alone (``none``).
    leave_out
        Parameters that do not become metadata.
    used_software
        What a processed dataset was made with, which SciCat wants to be told.
    is_published
        Whether everybody may see it.
    allowed_roots
        Folders below which files without a size in the message are looked at on this machine's disks.
    patience, lock_folder
        As for ``nexus-files``.
    """

    contact_email: str | None = None
    owner: str = field(default="{investigation}", validator=_is_template)
    principal_investigator: str = field(default="{investigation}", validator=_is_template)
    owner_group: str = field(default="{investigation}", validator=_is_template)
    creation_location: str = field(default="{instrument}", validator=_is_template)
    dataset_name: str = field(default="{name}", validator=_is_template)
    source_folder: str = field(default="{location}", validator=_is_template)
    access_groups: tuple[str, ...] = field(default=(), validator=validators.deep_iterable(_is_template))
    pid_prefix: str = "20.500.12269"
    instruments: dict[str, str] = field(factory=dict)
    samples: Literal["find", "create", "none"] = "find"
    leave_out: tuple[str, ...] = ("input_datasets",)
    used_software: tuple[str, ...] = ("unknown",)
    is_published: bool = False
    allowed_roots: tuple[str, ...] = field(default=(), validator=validators.deep_iterable(_is_absolute))
    patience: timedelta = field(default=timedelta(minutes=1), validator=validators.ge(timedelta(0)))
    lock_folder: str | None = field(default=None, validator=validators.optional(_is_absolute))
