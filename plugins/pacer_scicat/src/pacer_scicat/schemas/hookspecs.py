"""What other plugins may add to schemas: hooks of this plugin's own.

A plugin is a module, named by an entry point of the group ``pacer_scicat``, that implements some of these
with `pacer_scicat.hookimpl`::

    # [project.entry-points.pacer_scicat]  facility = "facility_pacer.scicat"
    from pacer_scicat import Operator, hookimpl

    @hookimpl
    def scicat_operators():
        return [Operator("reverse", lambda value, keys: value[::-1])]
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from pacer_scicat.schemas.extensions import Converter, Operator, Source

PROJECT = "pacer_scicat"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def scicat_operators() -> Iterable[Operator]:  # type: ignore[empty-body]
    """When schemas are first read: give further operators of ``VALUE`` variables."""


@hookspec
def scicat_converters() -> Iterable[Converter]:  # type: ignore[empty-body]
    """When schemas are first read: give further types of values."""


@hookspec
def scicat_sources() -> Iterable[Source]:  # type: ignore[empty-body]
    """When schemas are first read: give further sources of variables."""
