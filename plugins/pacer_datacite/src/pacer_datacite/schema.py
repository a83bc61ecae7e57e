"""The JSON form of DataCite's schema 4.5, from the distribution ``datacite``: the only door to it.

Only the schema is taken from there: the package's own client raises on the 201 of a PUT and sends nothing
twice.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import orjson

from pacer_core import BadField, PacerError

if TYPE_CHECKING:
    from jsonschema import Draft201909Validator
    from jsonschema.exceptions import ValidationError

_YEAR = re.compile(r"\d{4}")
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


def problems(document: dict[str, Any]) -> tuple[BadField, ...]:
    """Give what is wrong with a document by schema 4.5; values, which may name people, are not quoted."""
    errors = sorted(
        _validator().iter_errors(document), key=lambda one: [str(step) for step in one.absolute_path]
    )
    return tuple(BadField(_path(one), _words(one)) for one in errors)


@cache
def _validator() -> Draft201909Validator:
    # Imported here: together they take a quarter of a second, and many processes never mint.
    from jsonschema import Draft201909Validator, FormatChecker

    checker = FormatChecker(formats=())
    checker.checks("uri")(_is_uri)
    for name, is_one in _DATES.items():
        checker.checks(name)(is_one)
    return Draft201909Validator(orjson.loads(_file().read_bytes()), format_checker=checker)


def _file() -> Path:
    """Find the schema without importing the package, which would bring its HTTP clients along."""
    spec = find_spec("datacite")
    for folder in (spec and spec.submodule_search_locations) or ():
        file = Path(folder) / "schemas" / "datacite-v4.5.json"
        if file.is_file():
            return file
    raise PacerError("the installed datacite has no JSON schema 4.5: install datacite 1.3 or newer")


def _path(error: ValidationError) -> str:
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
    return f"datacite{steps}"


def _words(error: ValidationError) -> str:
    """Say which rule is broken, in words of the schema alone."""
    rule, instance = cast(Any, error.validator_value), cast(Any, error.instance)
    if error.validator == "required":
        absent = [name for name in rule if name not in instance]
        return f"has no {', '.join(absent)}"
    if error.validator in ("type", "format", "const", "minItems"):
        return f"should have {error.validator} {rule}"
    if error.validator == "anyOf" and error.absolute_path and error.absolute_path[-1] == "date":
        return "is no date, nor a range of dates"
    if error.validator == "enum":
        return "is none of the words that the schema allows"
    if error.validator == "uniqueItems":
        return "holds something twice"
    return f"breaks the schema's rule {error.validator}"


def _is_uri(value: object) -> bool:
    if not isinstance(value, str):
        return True
    try:
        return bool(urlsplit(value).scheme) and value.isascii() and not any(map(str.isspace, value))
    except ValueError:
        return False


def _reads(value: object, read: Any) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True


def _is_day(value: object) -> bool:
    return isinstance(value, str) and len(value) == 10 and _reads(value, date.fromisoformat)


def _is_time(value: object) -> bool:
    return isinstance(value, str) and len(value) > 10 and _reads(value, datetime.fromisoformat)


def _ranges(of: Any) -> Any:
    def is_range(value: object) -> bool:
        if not isinstance(value, str):
            return False
        first, slash, last = value.partition("/")
        return bool(slash) and all(not part or of(part) for part in (first, last)) and value != "/"

    return is_range


_SINGLE = {
    "year": lambda value: isinstance(value, str) and _YEAR.fullmatch(value) is not None,
    "yearmonth": lambda value: isinstance(value, str) and _MONTH.fullmatch(value) is not None,
    "date": _is_day,
    "datetime": _is_time,
}
_DATES = {**_SINGLE, **{f"{name}-range": _ranges(is_one) for name, is_one in _SINGLE.items()}}
