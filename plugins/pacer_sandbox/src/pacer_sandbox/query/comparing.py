"""Two values side by side: constants become what they are compared with, texts compare as in MariaDB."""

from pacer_sandbox.errors import IcatError
from pacer_sandbox.query import constants
from pacer_sandbox.query.scope import Scope, Sql, Stored

NULL = Sql("NULL", "null")
USER = Sql(":user", "String")


def compare(operator: str, left: Sql, right: Sql, scope: Scope) -> str:
    """Return a comparison in SQL; constants take the type of the attribute on the other side."""
    if NULL in (left, right):
        other = bound(left if right is NULL else right, scope)
        return {"=": f"{other.text} IS NULL"}.get(operator, f"{other.text} IS NOT NULL")
    if left.object != right.object or (left.object and operator not in ("=", "<>", "!=")):
        raise IcatError("INTERNAL", "an object can only be compared with an object, for being the same")
    if (left is USER and _is_other(right)) or (right is USER and _is_other(left)):
        raise IcatError("INTERNAL", "a user's name cannot be converted to what it is compared with")
    left, right = adapt(left, right, scope), adapt(right, left, scope)
    return f"{collated(left) if not right.column else left.text} {operator} {right.text}"


def adapt(this: Sql, other: Sql, scope: Scope) -> Sql:
    """Return ``this`` bound, as what ``other`` makes of it."""
    if not this.constant:
        return this
    if other.kind in scope.context.schema.enums and this.kind != other.kind:
        raise IcatError("INTERNAL", f"{this.value!r} cannot be compared with an enumeration")
    if other.column or (this.kind == "String" and other.kind in (*constants.NUMBERS, "Date", "boolean")):
        return _constant(
            constants.convert(this.value, other.kind, this.kind, scope.context.zone), other.kind, scope
        )
    return bound(this, scope)


def _is_other(this: Sql) -> bool:
    return this.column and this.kind != "String"


def bound(this: Sql, scope: Scope) -> Sql:
    """Return a value that can stand in SQL."""
    return _constant(this.value, this.kind, scope) if this.constant else this


def collated(this: Sql) -> str:
    """Return a value as it is to be compared or sorted: a computed text has to be told how."""
    return f"{this.text} COLLATE ICAT" if this.kind == "String" and not this.column else this.text


def _constant(value_: Stored, kind: str, scope: Scope) -> Sql:
    return Sql(scope.context.bind(value_), kind)
