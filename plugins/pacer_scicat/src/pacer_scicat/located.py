"""YAML, and the JSON within it, with the place of everything. The only door to ruamel."""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

_LARGEST, _DEEPEST = 100_000, 50


class NotReadableError(Exception):
    """A text that is neither YAML nor JSON: where, counted from 1, and why."""

    def __init__(self, line: int, column: int, why: str) -> None:
        super().__init__(f"{line}:{column}: {why}")
        self.line, self.column, self.why = line, column, why


def load(text: str, *, is_json: bool) -> Any:
    """Read a text; mappings and lists know their places (`place`).

    Raises
    ------
    NotReadableError
        Where it cannot be read.
    """
    if is_json:
        text = text.expandtabs(1)  # YAML, of which JSON is a part, does not indent by tabs
    try:
        found = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (0, 0) if mark is None else (mark.line, mark.column)
        why = " ".join(str(error.problem or error.context).split())
        raise NotReadableError(line + 1, column + 1, why) from None
    except YAMLError as error:
        raise NotReadableError(1, 1, " ".join(str(error).split())) from None
    except (ValueError, ArithmeticError, RecursionError) as error:  # a date of no calendar, nested too deep
        raise NotReadableError(1, 1, f"cannot be read: {type(error).__name__}") from None
    _check_size(found)
    return found


def _check_size(found: Any) -> None:
    """Refuse what aliases make endless, or as good as that."""
    left, waiting = _LARGEST, [(found, 0)]
    while waiting:
        at, depth = waiting.pop()
        inner = [*at.keys(), *at.values()] if isinstance(at, dict) else at if isinstance(at, list) else ()
        left -= len(inner)
        if left < 0 or depth > _DEEPEST:
            raise NotReadableError(1, 1, f"holds more than {_LARGEST} entries, or itself")
        waiting.extend((one, depth + 1) for one in inner)


def place(at: Any, key: Any = None) -> tuple[int, int]:
    """Give line and column, counted from 1, of a key of a mapping, or of the mapping itself."""
    marks = getattr(at, "lc", None)
    if marks is None:
        return 1, 1
    try:
        line, column = marks.key(key) if key is not None else (marks.line, marks.col)
    except (KeyError, TypeError):
        line, column = marks.line, marks.col
    return line + 1, column + 1
