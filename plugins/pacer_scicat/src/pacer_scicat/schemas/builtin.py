"""The sources, operators and types that are always there."""

from __future__ import annotations

from collections.abc import Iterable

from pacer_scicat.schemas.converters import CONVERTERS
from pacer_scicat.schemas.extensions import Converter, Operator, Source
from pacer_scicat.schemas.hookspecs import hookimpl
from pacer_scicat.schemas.operators import OPERATORS
from pacer_scicat.schemas.sources import SOURCES


@hookimpl
def scicat_operators() -> Iterable[Operator]:
    """Give the operators."""
    return OPERATORS


@hookimpl
def scicat_converters() -> Iterable[Converter]:
    """Give the types."""
    return CONVERTERS


@hookimpl
def scicat_sources() -> Iterable[Source]:
    """Give the sources."""
    return SOURCES
