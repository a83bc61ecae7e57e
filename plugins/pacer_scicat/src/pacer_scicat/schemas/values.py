"""Variables of a schema, filled one after another for one file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from attrs import define, field, frozen

from pacer_core import PacerError
from pacer_scicat.schemas.extensions import Extensions, VariableError
from pacer_scicat.schemas.templates import Value

if TYPE_CHECKING:
    from pacer_scicat.schemas.model import Recipe, Schema


class File(Protocol):
    """A file as sources see it."""

    def read(self, path: str, *, several: bool) -> tuple[Any, str | None]:
        """Give what stands at a path, and its unit; ``several`` where the path may have wildcards."""
        ...


class Catalogue(Protocol):
    """The catalogue as sources see it: a path, with what its answer holds."""

    def ask(self, path: str) -> Any:
        """Give what it says, ``None`` for nothing."""
        ...


@define
class Given:
    """What a source may use; ``values`` are the variables so far, ``failed`` those without one, and why."""

    file: File | None
    catalogue: Catalogue | None
    values: dict[str, Value]
    failed: dict[str, VariableError] = field(factory=dict)
    value_type: str = "string"
    """The type of the variable that is being filled."""

    def find(self, name: str) -> Value:
        """Give a variable that has a value.

        Raises
        ------
        VariableError
            Where it has none; says why.
        """
        if name in self.values:
            return self.values[name]
        because = self.failed.get(name)
        if because is None:
            raise VariableError(f"there is no variable <{name}> before this one")
        raise VariableError(f"<{name}>: {because}", awaited=because.awaited)


@frozen
class Filled:
    """The variables of one file."""

    values: Mapping[str, Value]
    failed: Mapping[str, VariableError]


def fill(
    schema: Schema,
    known: Extensions,
    built_in: Mapping[str, Value],
    *,
    file: File | None,
    catalogue: Catalogue | None,
) -> Filled:
    """Fill a schema's variables in their order; one that fails is noted, and whatever needs it fails as well.

    Raises
    ------
    Away, Forbidden
        Where the catalogue does not answer: then nothing is known about any variable.
    """
    given = Given(file, catalogue, dict(built_in))
    for recipe in schema.variables:
        try:
            given.values[recipe.name] = _value(recipe, known, given)
        except VariableError as error:
            given.failed[recipe.name] = error
        except PacerError:
            raise
        except Exception as error:  # of a value, or of a plugin's source or operator: of this variable alone
            given.failed[recipe.name] = VariableError(f"cannot be had: {type(error).__name__}")
    return Filled(given.values, given.failed)


def _value(recipe: Recipe, known: Extensions, given: Given) -> Value:
    source = known.sources.get(recipe.source)
    if source is None:
        raise VariableError(f"there is no source {recipe.source!r}")
    given.value_type = recipe.value_type
    value, unit = source.read(given, recipe.keys)
    return Value(
        converted(value, recipe.value_type, known), recipe.value_type, unit or recipe.unit, recipe.source
    )


def converted(value: Any, kind: str, known: Extensions) -> Any:
    """Give a value of a type.

    Raises
    ------
    VariableError
        Where it is no such value, or there is no such type.
    """
    converter = known.converters.get(kind)
    if converter is None:
        raise VariableError(f"there is no type {kind!r}")
    try:
        return converter.convert(value)
    except VariableError as error:
        raise VariableError(f"{error} (type {kind})") from None
    except Exception as error:
        raise VariableError(f"is no such value: {type(error).__name__} (type {kind})") from None
