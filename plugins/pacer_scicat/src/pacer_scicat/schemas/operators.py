"""What may become of a value on its way: the operators of ``VALUE`` variables."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from pacer_scicat.schemas.extensions import Operator, VariableError

Keys = Mapping[str, Any]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise VariableError("is no text")
    return value


def _on_text(function: Callable[[str], str]) -> Callable[[Any, Keys], Any]:
    return lambda value, _: function(_text(value))


def _numbers(value: Any) -> list[float]:
    values = value if isinstance(value, list | tuple) else [value]
    flat = [inner for one in values for inner in (one if isinstance(one, list | tuple) else [one])]
    if not flat or not all(isinstance(one, int | float) and not isinstance(one, bool) for one in flat):
        raise VariableError("is no list of numbers")
    return flat


def _on_numbers(function: Callable[[list[float]], float]) -> Callable[[Any, Keys], Any]:
    return lambda value, _: function(_numbers(value))


def _joined(value: Any, _: Keys) -> str:
    return ", ".join(str(one) for one in (value if isinstance(value, list | tuple) else [value]))


def item(value: Any, keys: Keys) -> Any:
    """Give an element of a list by its place, or a value of a mapping by its key: ``field`` of the keys."""
    wanted = keys["field"]
    try:
        if isinstance(value, list | tuple):
            return value[int(wanted)]
        if isinstance(value, Mapping):
            return value[wanted] if wanted in value else value[str(wanted)]
    except (KeyError, IndexError, ValueError):
        raise VariableError(f"has no {wanted!r}") from None
    raise VariableError(f"is neither a list nor a mapping, and has no {wanted!r}")


def _replaced(value: Any, keys: Keys) -> str:
    return _text(value).replace(str(keys["pattern"]), str(keys["replacement"]))


def _folder(value: str) -> str:
    return posixpath.dirname(value)


OPERATORS = (
    Operator("DO_NOTHING", lambda value, _: value),
    Operator("join_with_space", _joined),
    Operator("filename", _on_text(posixpath.basename)),
    Operator("dirname", _on_text(_folder)),
    Operator("dirname-2", _on_text(lambda value: _folder(_folder(value)))),
    Operator("getitem", item, needs=("field",)),
    Operator("str-replace", _replaced, needs=("pattern", "replacement")),
    Operator("urlsafe", _on_text(lambda value: quote(value, safe=""))),
    Operator("to-lower", _on_text(str.lower)),
    Operator("to-upper", _on_text(str.upper)),
    Operator("sum", _on_numbers(sum)),
    Operator("min", _on_numbers(min)),
    Operator("max", _on_numbers(max)),
    Operator("mean", _on_numbers(lambda values: sum(values) / len(values))),
)


def canonical(name: str) -> str:
    """Give an operator's name as it is registered: hyphens and underscores are one."""
    return next((one.name for one in OPERATORS if one.name.replace("-", "_") == name.replace("-", "_")), name)
