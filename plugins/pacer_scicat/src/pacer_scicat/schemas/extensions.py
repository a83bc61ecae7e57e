"""Sources, operators and converters: those that are here, and those that plugins add."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

import pluggy
from attrs import field, frozen

from pacer_core import PacerError
from pacer_scicat.schemas import hookspecs

if TYPE_CHECKING:
    from pacer_scicat.schemas.values import Given


class VariableError(PacerError):
    """A value cannot be had, or is not what it should be: the text says why, and quotes no value.

    ``awaited`` where another message may still bring it.
    """

    def __init__(self, reason: str, *, awaited: bool = False) -> None:
        super().__init__(reason)
        self.awaited = awaited


@frozen
class Converter:
    """A type of values: ``convert(value)`` gives it as JSON holds it, or raises `VariableError`."""

    name: str
    convert: Callable[[Any], Any]


@frozen
class Operator:
    """What becomes of a value: ``apply(value, keys)``; ``keys`` are those of the variable.

    ``needs`` names keys that it cannot do without.
    """

    name: str
    apply: Callable[[Any, Mapping[str, Any]], Any]
    needs: tuple[str, ...] = ()


@frozen
class Source:
    """Where a variable's value comes from: ``read(given, keys)`` gives value and unit.

    ``given`` is a `Given`: the open file, the catalogue, the variables so far. ``keys`` are the variable's
    own, as they are written. ``needs`` names keys that it cannot do without, ``knows`` further ones.
    """

    name: str
    read: Callable[[Given, Mapping[str, Any]], tuple[Any, str | None]]
    needs: tuple[str, ...] = ()
    knows: tuple[str, ...] = ()


@frozen
class Extensions:
    """Everything that a schema may name."""

    sources: Mapping[str, Source] = field(factory=dict)
    operators: Mapping[str, Operator] = field(factory=dict)
    converters: Mapping[str, Converter] = field(factory=dict)


@cache
def extensions() -> Extensions:
    """Give what there is in this process, found once.

    Raises
    ------
    PacerError
        Where a plugin cannot be loaded, or brings a name that there is already.
    """
    return collect(entry_points(group=hookspecs.PROJECT))


def collect(points: Iterable[EntryPoint]) -> Extensions:
    """Give what is here and what plugins add.

    Raises
    ------
    PacerError
        As `extensions`.
    """
    from pacer_scicat.schemas import builtin  # here: it imports this module

    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(builtin, "pacer-scicat")
    for point in points:
        try:
            manager.register(point.load(), point.name)
        except Exception as error:
            raise PacerError(
                f"the extension {point.name} of pacer-scicat ({point.value}) fails: {error}"
            ) from error
    manager.check_pending()
    hooks = manager.hook
    return Extensions(
        _named("source", hooks.scicat_sources),
        _named("operator", hooks.scicat_operators),
        _named("value type", hooks.scicat_converters),
    )


def _named(kind: str, hook: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    owners: dict[str, str] = {}
    for implementation in hook.get_hookimpls():
        for one in implementation.function():
            if one.name in found:
                raise PacerError(
                    f"the {kind} {one.name!r} is given by {owners[one.name]} and by "
                    f"{implementation.plugin_name}: uninstall one of them"
                )
            found[one.name], owners[one.name] = one, implementation.plugin_name
    return found
