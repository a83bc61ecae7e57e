"""Where variables come from: the NeXus file, SciCat, or a template over other variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pacer_http import Forbidden, Missing, Refused
from pacer_scicat.schemas import operators
from pacer_scicat.schemas.extensions import Source, VariableError, extensions
from pacer_scicat.schemas.templates import filled, text
from pacer_scicat.schemas.values import Given

Keys = Mapping[str, Any]


def _from_file(given: Given, keys: Keys) -> tuple[Any, str | None]:
    if given.file is None:
        raise VariableError("there is no file to read it from")
    path = text(str(keys["path"]), given.find)
    return given.file.read(path, several=given.value_type.endswith("[]") or given.value_type == "list")


def _from_catalogue(given: Given, keys: Keys) -> tuple[Any, str | None]:
    if given.catalogue is None:
        raise VariableError("there is no catalogue to ask")
    path = text(str(keys["url"]), given.find, lambda value: quote(value, safe=""))
    try:
        found = given.catalogue.ask(path)
    except Missing:
        found = None
    except (Forbidden, Refused) as problem:
        raise VariableError(str(problem)) from None
    if found is None:
        raise VariableError("SciCat has nothing there", awaited=True)
    wanted = keys.get("field")
    return (found if wanted in (None, "") else operators.item(found, {"field": wanted})), None


def _from_template(given: Given, keys: Keys) -> tuple[Any, str | None]:
    value, unit = filled(keys.get("value"), given.find)
    name = operators.canonical(str(keys.get("operator") or "DO_NOTHING"))
    operator = extensions().operators.get(name)
    if operator is None:
        raise VariableError(f"there is no operator {name!r}")
    more = {key: filled(one, given.find)[0] for key, one in keys.items() if key not in ("value", "operator")}
    try:
        return operator.apply(value, more), unit
    except VariableError as error:
        raise VariableError(f"{error} (operator {name})") from None


SOURCES = (
    Source("NXS", _from_file, needs=("path",)),
    Source("SC", _from_catalogue, needs=("url",), knows=("field",)),
    Source("VALUE", _from_template, needs=("value",), knows=("operator", "field", "pattern", "replacement")),
)
