"""A schema as it is held, once its file has been read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

Selector = Callable[[str], bool]
"""Tells whether a schema is for the file of a path."""


@frozen
class Problem:
    """A mistake in a file, where it stands; ``serious`` ones keep the schema from being used."""

    file: Path
    line: int
    column: int
    code: str
    text: str
    serious: bool = True

    def __str__(self) -> str:
        kind = "error" if self.serious else "warning"
        return f"{self.file}:{self.line}:{self.column}: {kind}: {self.text} [{self.code}]"


@frozen
class Recipe:
    """How a variable gets its value: ``keys`` are those of its source."""

    name: str
    source: str
    value_type: str
    unit: str | None = None
    keys: Mapping[str, Any] = field(factory=dict)


@frozen
class Field:
    """A field of the dataset, or one of its scientific metadata."""

    name: str
    is_metadata: bool
    value: Any
    type: str
    human_name: str | None = None
    unit: str | None = None


@frozen
class SampleAttachment:
    """Whether the dataset's sample is looked for, and where the file names it."""

    wanted: bool = False
    name_path: str = "/entry/sample/name"
    proposal_path: str = "/entry/experiment_identifier"


@frozen
class Schema:
    """What is in one file."""

    file: Path
    id: str
    name: str
    instrument: str | None
    order: float
    selects: Selector
    variables: tuple[Recipe, ...]
    fields: tuple[Field, ...]
    sample: SampleAttachment = SampleAttachment()
