"""A dataset, put together from a schema's fields and the variables of a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from pacer_scicat.fields import LISTS, MANDATORY, TEXTS, one_name, single
from pacer_scicat.schemas.extensions import Extensions, VariableError
from pacer_scicat.schemas.model import Field, Schema
from pacer_scicat.schemas.templates import Value, filled
from pacer_scicat.schemas.values import Filled, Given, converted


@frozen
class Built:
    """A dataset by version 3's names, and the fields that could not be filled, with the reason of each."""

    fields: Mapping[str, Any]
    failed: Mapping[str, VariableError]

    def missing(self) -> dict[str, VariableError]:
        """Give the mandatory fields that have no value."""
        unset = VariableError("no field of the schema gives it")
        return {
            name: self.failed.get(name, unset)
            for name in MANDATORY
            if self.fields.get(name) in (None, "", [])
        }


def build(schema: Schema, variables: Filled, known: Extensions, defaults: Mapping[str, Any]) -> Built:
    """Build the dataset of a file; ``defaults`` are values for fields that have none."""
    given = Given(None, None, dict(variables.values), dict(variables.failed))
    fields: dict[str, Any] = {"type": "raw"}
    metadata: dict[str, Any] = {}
    failed: dict[str, VariableError] = {}
    for one in schema.fields:
        name = one.name if one.is_metadata else one_name(one.name)
        try:
            value = _value(one, given, known)
        except VariableError as error:
            failed[f"scientificMetadata.{name}" if one.is_metadata else name] = error
            continue
        if one.is_metadata:
            metadata[name] = _quantity(one, value)
        else:
            fields[name] = _held(name, value.value)
    for name, value in defaults.items():
        if fields.get(name) in (None, "", []):
            fields[name] = value
    if metadata:
        fields["scientificMetadata"] = metadata
    return Built({name: one for name, one in fields.items() if one not in (None, "")}, failed)


def _value(one: Field, given: Given, known: Extensions) -> Value:
    value, unit = filled(one.value, given.find)
    found = converted(value, one.type, known)
    if not isinstance(found, str):
        try:
            json.dumps(found, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise VariableError(f"holds what JSON has no word for (type {one.type})") from None
    return Value(found, one.type, one.unit or unit)


def _held(name: str, value: Any) -> Any:
    value = single(value) if name in LISTS else value
    return str(value) if name in TEXTS and isinstance(value, int | float) else value


def _quantity(one: Field, value: Value) -> dict[str, Any]:
    human = {} if one.human_name is None else {"human_name": one.human_name}
    return {"value": value.value, "unit": value.unit or "", "type": one.type, **human}
