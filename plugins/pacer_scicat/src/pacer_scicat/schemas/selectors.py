"""Which files a schema is for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pacer_scicat.schemas.model import Selector

_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "starts_with": str.startswith,
    "contains": str.__contains__,
}
_TARGETS = ("filename", "datafile", "nexusfile")
"""All are the file's whole path."""


def selector(given: Any) -> Selector:
    """Read a selector: ``*``, ``filename:starts_with:TEXT``, an object, or ``or`` and ``and`` of such.

    Raises
    ------
    ValueError
        Saying what is wrong with it.
    """
    if isinstance(given, str):
        return _of_text(given)
    if isinstance(given, Mapping):
        return _of_mapping(given)
    raise ValueError("a selector is '*', 'filename:starts_with:TEXT', or a mapping with 'or' or 'and'")


def _of_text(given: str) -> Selector:
    if given == "*":
        return lambda _: True
    parts = given.split(":", 2)  # a path may hold a colon
    if len(parts) != 3 or not parts[2]:
        raise ValueError(f"{given!r} is neither '*' nor TARGET:TEST:TEXT")
    target, test, text = parts
    return _test(target, test, text)


def _test(target: str, test: str, text: str) -> Selector:
    if target not in _TARGETS:
        raise ValueError(f"no target {target!r}; there is {', '.join(_TARGETS)}")
    if test not in _TESTS:
        raise ValueError(f"no test {test!r}; there are {' and '.join(_TESTS)}")
    return lambda path: _TESTS[test](path, text)


def _of_mapping(given: Mapping[str, Any]) -> Selector:
    if {"operand_1", "operator", "operand_2"} == set(given):
        return _test(str(given["operand_1"]), str(given["operator"]), str(given["operand_2"]))
    if len(given) != 1 or not set(given) <= {"or", "and"}:
        raise ValueError(
            "a selector's mapping has one key, 'or' or 'and', or operand_1, operator and operand_2"
        )
    ((how, several),) = given.items()
    if not isinstance(several, list) or not several:
        raise ValueError(f"{how!r} takes a list of selectors")
    inner = [selector(one) for one in several]
    joined = any if how == "or" else all
    return lambda path: joined(one(path) for one in inner)
