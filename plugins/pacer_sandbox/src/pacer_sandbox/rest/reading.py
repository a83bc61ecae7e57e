"""Objects in a REST request: strict where SOAP is lenient."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from pacer_sandbox import times
from pacer_sandbox.errors import IcatError
from pacer_sandbox.lexical import Value
from pacer_sandbox.schema import Entity, Field

BROKEN = "class jakarta.ejb.EJBException Stateless SessionBean method returned without completing transaction"


class BreakdownError(Exception):
    """What the real server stumbles over: a plain internal error, without an offset."""


def attribute(entity: Entity, field: Field, told: Any, zone: ZoneInfo) -> Value:
    """Read a JSON value as an attribute.

    Raises IcatError for bad dates, booleans and names, BreakdownError for a wrong JSON type.
    """
    if told is None:
        if field.type == "boolean":
            raise IcatError("INTERNAL", f"failed to set field {field.name} of {entity.name}")
        return None
    if field.type == "String":
        return _of(str, told)
    if field.type == "Date":
        seconds = times.from_json(told, zone) if isinstance(told, str) else None
        if seconds is None:
            raise IcatError("BAD_PARAMETER", f"Badly formatted date {_shown(told)}")
        return seconds
    if field.type == "boolean":
        if not isinstance(told, bool):
            raise IcatError("BAD_PARAMETER", f"Field {field.name} must be true or false in {entity.name}")
        return told
    if field.type in ("Long", "Integer"):
        return whole(told, 64 if field.type == "Long" else 32)
    if field.type == "Double":
        if isinstance(told, bool) or not isinstance(told, int | Decimal):
            raise BreakdownError
        return float(told)
    return _enumeration(entity, field, told)


def whole(told: Any, bits: int = 64) -> int:
    """Read a JSON number without a fraction; BreakdownError otherwise."""
    if isinstance(told, bool) or not isinstance(told, int | Decimal):
        raise BreakdownError
    if isinstance(told, Decimal) and told != told.to_integral_value():
        raise BreakdownError
    number = int(told)
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise BreakdownError
    return number


def _enumeration(entity: Entity, field: Field, told: Any) -> str:
    if field.type != "ParameterValueType":  # the real server takes any other for a relation
        raise (
            BreakdownError()
            if isinstance(told, Mapping)
            else IcatError("BAD_PARAMETER", f"Badly formatted relationship object {_shown(told)}")
        )
    name = str(_of(str, told)).upper()
    known = ("DATE_AND_TIME", "NUMERIC", "STRING")
    if name not in known:
        listed = ", ".join(known)
        raise IcatError("BAD_PARAMETER", f"Field {field.name} must be in [{listed}] for {entity.name}")
    return name


def _of(kind: type[str], told: Any) -> str:
    if not isinstance(told, kind):
        raise BreakdownError
    return told


def _shown(told: Any) -> str:
    return f'"{told}"' if isinstance(told, str) else str(told)
