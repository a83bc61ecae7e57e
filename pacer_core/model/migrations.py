"""Configurations of other programs, and what becomes of them here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from attrs import Attribute, field, frozen

from pacer_core.model.secrets import Secret

Kind = Literal["changed", "left-out", "to-do"]

SECRET = re.compile(r"!secret ([\w.-]+)")
"""Where a migrated text wants a secret, by its name."""


def yaml_text(text: str) -> str:
    """Write a text as YAML, in quotes and in one line, with everything that does not print escaped."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in quoted)


@frozen
class Foreign:
    """A configuration of another program, as it was found.

    Attributes
    ----------
    file
        Its path, for what stands beside it.
    text
        What it says.
    """

    file: Path
    text: str


@frozen(order=True)
class Note:
    """One thing that is not in the new configuration as it was in the old one; it never quotes a secret.

    Attributes
    ----------
    line
        Where it was, counted from 1; 0 where it is about the whole.
    text
        What it is, and what it has become, or why it is not there.
    kind
        ``changed`` is said in other words now, ``left-out`` has no counterpart or needs none, and ``to-do``
        is left to a person.
    """

    line: int
    text: str
    kind: Kind = "changed"


@frozen
class UnknownConsumer:
    """A consumer of a facility's own, to be written anew: ``pacer config migrate`` begins a plugin for it.

    Attributes
    ----------
    consumer_type
        The consumer type that the new configuration names.
    was
        What it was, for its author: a class and its module, for instance.
    """

    consumer_type: str
    was: str


def _are_there(migrated: Migrated, _: Attribute[Mapping[str, Secret]], secrets: Mapping[str, Secret]) -> None:
    if lacking := set(SECRET.findall(migrated.text)) - set(secrets):
        raise ValueError(f"the text names secrets that are not given: {', '.join(sorted(lacking))}")


@frozen
class Migrated:
    """A configuration of ours, made from another one.

    Attributes
    ----------
    text
        The YAML, in which ``!secret NAME`` stands for a secret.
    notes
        Everything that has changed.
    secrets
        The secrets, by the names in the text (letters, digits, ``.``, ``_`` and ``-``). They are written
        there, or into files of their own, as the user says.
    unknown
        The consumers for which there is no type.

    Raises
    ------
    ValueError
        Where the text names a secret that is not given.
    """

    text: str
    notes: tuple[Note, ...] = ()
    secrets: Mapping[str, Secret] = field(factory=dict, validator=_are_there)
    unknown: tuple[UnknownConsumer, ...] = ()


@frozen
class ConfigMigration:
    """How configurations of another program become ours: ``pacer config migrate`` asks.

    Attributes
    ----------
    name
        The program (``ICAT-PACER``).
    recognises
        Tells whether a configuration is one of that program's, also where it has mistakes.
    migrate
        Gives ours. It keeps what it can, and says the rest in notes; where the file cannot be read at all,
        it raises a `PacerError` that says where and why. It opens nothing but what stands beside the file.
    """

    name: str
    recognises: Callable[[Foreign], bool]
    migrate: Callable[[Foreign], Migrated]
