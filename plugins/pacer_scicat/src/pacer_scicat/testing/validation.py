"""What the backend checks of a body before it does anything, and how it words what is wrong.

A field's rule is a word, a ``?`` behind it where the field may be missing or null. Two forms of the same
problems: nested objects (version 3's datasets) and a list of sentences (everything else).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from pacer_scicat.testing.refusals import broken, of_version_3, refused
from pacer_scicat.testing.values import is_date, is_email, is_emails

Rules = Mapping[str, "str | Nested"]


@frozen
class Nested:
    """A field that is a list of objects, each by these rules."""

    rules: Rules
    optional: bool = True
    filled: bool = False


def problems(body: Any, rules: Rules) -> list[dict[str, Any]]:
    """Give what is wrong with a body, unknown fields first, then field by field."""
    found = [_unknown(name) for name in body if name not in rules]
    for name, rule in rules.items():
        if body.get(name) is not None or not _is_optional(rule):
            found += _problems(name, rule, body)
    return found


def check_version_3(body: Any, rules: Rules) -> None:
    """Refuse a body in the form of version 3's datasets.

    Raises
    ------
    Refused
        400, with all problems.
    """
    if not isinstance(body, Mapping):
        unknown = {"unknownValue": "an unknown value was passed to the validate function"}
        raise of_version_3([{"children": [], "constraints": unknown}])
    if found := problems(body, rules):
        raise of_version_3(found)


def check(body: Any, rules: Rules) -> None:
    """Refuse a body in the form of everything else.

    Raises
    ------
    Refused
        400 with all problems; 500 where there is no body, or a list of lists (A8, 19).
    """
    if body is None:
        raise broken()
    if isinstance(body, list):
        body = {}
    if found := list(sentences(problems(body, rules))):
        raise refused(400, found)


def sentences(found: list[dict[str, Any]], place: str = "") -> Iterator[str]:
    """Give problems as sentences, those within lists with their places."""
    for one in found:
        yield from (f"{place}{text}" for text in one.get("constraints", {}).values())
        yield from sentences(one.get("children", []), f"{place}{one['property']}.")


def _unknown(name: str) -> dict[str, Any]:
    return {
        "property": name,
        "constraints": {"whitelistValidation": f"property {name} should not exist"},
    }


def _is_optional(rule: str | Nested) -> bool:
    return rule.optional if isinstance(rule, Nested) else rule.endswith("?")


def _problems(name: str, rule: str | Nested, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    value = body.get(name)
    if isinstance(rule, Nested):
        yield from _nested(name, rule, value, name in body)
        return
    said = dict(_CHECKS[rule.removesuffix("?")](name, value, name in body))
    if said:
        yield {"property": name, "children": [], "constraints": said}


def _nested(name: str, rule: Nested, value: Any, given: bool) -> Iterator[dict[str, Any]]:
    each = {"nestedValidation": f"each value in nested property {name} must be either object or array"}
    said = {}
    if rule.filled and not (isinstance(value, list) and value) and not isinstance(value, Mapping):
        said["arrayNotEmpty"] = f"{name} should not be empty"
    if isinstance(value, Mapping):
        if children := problems(value, rule.rules):
            yield {"property": name, "children": children}
        return
    if not isinstance(value, list):
        said["isArray"] = f"{name} must be an array"
        if given:
            said |= each
    if said:
        yield {"property": name, "children": [], "constraints": said}
        return
    children = []
    for place, one in enumerate(value):
        if isinstance(one, list):
            raise broken()
        if not isinstance(one, Mapping):
            children.append({"property": str(place), "children": [], "constraints": each})
        elif inner := problems(one, rule.rules):
            children.append({"property": str(place), "children": inner})
    if children:
        yield {"property": name, "children": children}


Said = Iterator[tuple[str, str]]


def _string(name: str, value: Any, _: bool) -> Said:
    if not isinstance(value, str):
        yield "isString", f"{name} must be a string"


def _filled(name: str, value: Any, given: bool) -> Said:
    if value in (None, ""):
        yield "isNotEmpty", f"{name} should not be empty"
    yield from _string(name, value, given)


def _named(name: str, value: Any, given: bool) -> Said:
    if value == "":
        yield "isNotEmpty", f"{name} should not be empty"
    yield from _string(name, value, given)


def _strings(name: str, value: Any, _: bool) -> Said:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) for one in values):
        yield "isString", f"each value in {name} must be a string"


def _email(name: str, value: Any, _: bool) -> Said:
    if not is_email(value):
        yield "isEmail", f"{name} must be an email"


def _emails(_: str, value: Any, given: bool) -> Said:
    if not is_emails(value):
        shown = ("null" if value is None else value) if given else "undefined"
        yield "customEmailList", f"Expected an email or a list of semicolon separated emails, got {shown}"


def _date(name: str, value: Any, _: bool) -> Said:
    if not is_date(value):
        yield "isDateString", f"{name} must be a valid ISO 8601 date string"


def _integer(name: str, value: Any, _: bool) -> Said:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole:
        yield "isInt", f"{name} must be an integer number"


def _number(name: str, value: Any, _: bool) -> Said:
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield "isNumber", f"{name} must be a number conforming to the specified constraints"


def _truth(name: str, value: Any, _: bool) -> Said:
    if not isinstance(value, bool):
        yield "isBoolean", f"{name} must be a boolean value"


def _anything(_: str, __: Any, ___: bool) -> Said:
    yield from ()


_CHECKS = {
    "string": _string,
    "filled": _filled,
    "named": _named,
    "strings": _strings,
    "email": _email,
    "emails": _emails,
    "date": _date,
    "integer": _integer,
    "number": _number,
    "truth": _truth,
    "anything": _anything,
}
