"""Who may do what: ICAT's authorisation rules.

Nothing is allowed that no rule allows, except to root users. A rule gives some of the rights C, R, U and
D to what its query finds, for everybody or for the members of a grouping. A rule for everybody without a
WHERE clause makes a table public: all of it may be read. The real server does not look at the flags of
such a rule, and neither do we.
"""

import json
import sqlite3
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from attrs import Factory, define, frozen

from pacer_sandbox.errors import IcatError
from pacer_sandbox.query import Restriction, Statement, parse
from pacer_sandbox.query.links import known
from pacer_sandbox.query.scope import Stored
from pacer_sandbox.query.select import sub_select
from pacer_sandbox.query.tree import Path, Select
from pacer_sandbox.schema import Schema

Right = Literal["C", "R", "U", "D"]

RIGHTS: Mapping[Right, str] = {"C": "CREATE", "R": "READ", "U": "UPDATE", "D": "DELETE"}
"""The rights by their letter in a rule, and how ICAT calls them elsewhere."""

_RULES = """
    SELECT id, crudFlags, what, grouping IS NULL FROM Rule
    WHERE grouping IS NULL OR grouping IN (
        SELECT ug.grouping FROM UserGroup ug JOIN User u ON u.id = ug.user WHERE u.name = :user)
    ORDER BY id
"""


@frozen
class What:
    """What a rule is about: the objects of an entity that a SELECT finds, or an attribute of them."""

    entity: str
    attribute: str | None
    select: Select
    text: str

    @property
    def restricted(self) -> bool:
        """Whether there is a WHERE clause; a join alone does not count as one."""
        return self.select.where is not None


@frozen
class Rule:
    """One rule that applies to the user."""

    id: int
    flags: str
    everybody: bool
    what: What


@define
class Authoriser:
    """The rights of one user, as the rules are when they are first asked for.

    To be made anew for each call: what one call changes in the rules holds from the next one on.
    """

    schema: Schema
    connection: sqlite3.Connection
    user: str
    root_users: Collection[str]
    zone: ZoneInfo
    _rules: dict[str, list[Rule]] | None = None
    _steps: set[tuple[str, str]] | None = None
    _selects: dict[tuple[Right, str, str | None], Restriction | None] = Factory(dict)

    @property
    def is_root(self) -> bool:
        """Whether the user may do everything."""
        return self.user in self.root_users

    def readable(self, entity: str) -> Restriction | None:
        """Return what restricts reading of an entity, or ``None`` where all of it may be read."""
        if self.is_root or self._public(entity):
            return None
        return self._restriction("R", entity, None)

    def open_step(self, origin: str, field: str) -> bool:
        """Tell whether INCLUDE may follow a relation without looking at the rules of its end."""
        if self.is_root or self._public(self.schema[origin][field].type):
            return True
        if self._steps is None:
            self._steps = set(self.connection.execute("SELECT origin, field FROM PublicStep"))
        return (origin, field) in self._steps

    def allowed(self, right: Right, entity: str, ids: Collection[int]) -> set[int]:
        """Return the objects, by id, for which the user has a right.

        What may all be read may be read even where it does not exist, as on the real server.
        """
        if self.is_root or (right == "R" and self._public(entity)):
            return set(ids)
        return self._among(self._restriction(right, entity, None), entity, ids)

    def check(self, right: Right, entity: str, ids: Collection[int]) -> None:
        """Raise ``IcatError`` INSUFFICIENT_PRIVILEGES unless the user has a right for all of the objects."""
        if len(self.allowed(right, entity, ids)) < len(set(ids)):
            raise _refusal(right, entity)

    def check_update(self, entity: str, id: int, changed: Collection[str]) -> None:  # noqa: A002 - ICAT's word
        """Raise ``IcatError`` INSUFFICIENT_PRIVILEGES unless the user may change these fields of an object.

        Each may be allowed by a rule of its own. Over REST alone: a SOAP update sends whole objects, and
        needs the right for the whole object.
        """
        if self.allowed("U", entity, [id]):
            return
        for name in changed:
            if name == "id":
                continue
            is_list = self.schema[entity][name].rel_type == "MANY"
            if is_list or not self._among(self._restriction("U", entity, name), entity, [id]):
                raise _refusal("U", entity)

    def _public(self, entity: str) -> bool:
        return any(rule.everybody and not rule.what.restricted for rule in self._of(entity))

    def _of(self, entity: str) -> list[Rule]:
        if self._rules is None:
            self._rules = {}
            for id_, flags, text, everybody in self.connection.execute(_RULES, {"user": self.user}):
                rule = Rule(id_, flags, bool(everybody), what(text, self.schema))
                self._rules.setdefault(rule.what.entity, []).append(rule)
        return self._rules.get(entity, [])

    def _restriction(self, right: Right, entity: str, attribute: str | None) -> Restriction | None:
        """Return what the rules with a right find; ``None`` where one of them finds everything."""
        key = (right, entity, attribute)
        if key not in self._selects:
            rules = [r for r in self._of(entity) if right in r.flags and r.what.attribute == attribute]
            self._selects[key] = None if any(not r.what.restricted for r in rules) else self._joined(rules)
        return self._selects[key]

    def _joined(self, rules: list[Rule]) -> Restriction:
        selects, parameters = [], {}
        for rule in rules:
            select, bound = _sql(rule.id, rule.what.text, self.schema.version, self.zone)
            selects.append(select)
            parameters.update(bound)
        return Restriction(tuple(selects), parameters)

    def _among(self, restriction: Restriction | None, entity: str, ids: Collection[int]) -> set[int]:
        parameters: dict[str, Stored] = {"user": self.user, "ids": json.dumps(list(ids))}
        where = "id IN (SELECT value FROM json_each(:ids))"
        if restriction is not None:
            if not restriction.selects:
                return set()
            where += f" AND {restriction.condition('id')}"
            parameters.update(restriction.parameters)
        sql = f'SELECT id FROM "{entity}" WHERE {where}'  # noqa: S608 - names of the schema
        return {row[0] for row in self.connection.execute(sql, parameters)}


def what(text: str, schema: Schema) -> What:
    """Read what a rule is about, in either syntax.

    Raise ``IcatError`` BAD_PARAMETER for everything but one entity, or one field of it, FROM somewhere
    and WHERE something holds.
    """
    return _what(text, schema.version)


def check_rule(values: Mapping[str, Any], schema: Schema) -> str:
    """Check a new or changed rule and return its flags as they are stored.

    Raise ``IcatError``: BAD_PARAMETER for flags that are no rights, for a query that is none or that
    rules may not have, and INTERNAL where there are no flags at all.
    """
    given = values.get("crudFlags")
    if given is None:
        raise IcatError("INTERNAL", "a rule needs crudFlags")
    flags = str(given).upper().strip()
    for letter in flags:
        if letter not in get_args(Right):
            raise IcatError("BAD_PARAMETER", f"CRUD value {flags} contains {letter}")
    text = values.get("what")
    if text is None:
        raise IcatError("BAD_PARAMETER", "'what' must not be null")
    found = what(str(text), schema)
    if found.attribute is not None and flags.strip("U"):
        raise IcatError("BAD_PARAMETER", "Attribute selection in rules is only allowed for Update")
    if str(text).upper().strip().startswith("SELECT"):  # the real server does not try out the others
        try:
            sub_select(found.select, found.text, schema, zone=ZoneInfo("UTC"), prefix="")
        except IcatError as error:
            if error.type == "BAD_PARAMETER":  # anything else comes to light when the rule is applied
                raise
    return flags


def check_public_step(values: Mapping[str, Any], schema: Schema) -> None:
    """Raise ``IcatError`` BAD_PARAMETER unless a public step is a relation of an entity."""
    origin = known(str(values.get("origin")), schema)
    name = values.get("field")
    if name not in origin or origin[str(name)].rel_type == "ATTRIBUTE":
        raise IcatError(
            "BAD_PARAMETER", f"Field value {name} does not implement a relationship from {origin.name}"
        )


def _refusal(right: Right, entity: str) -> IcatError:
    return IcatError("INSUFFICIENT_PRIVILEGES", f"{RIGHTS[right]} access to this {entity} is not allowed.")


@lru_cache(maxsize=4096)
def _what(text: str, version: str) -> What:
    schema = Schema.load()
    statement = parse(text, schema)
    select = statement.select
    if _has_more(statement) or len(select.items) != 1 or not isinstance(select.items[0], Path):
        raise IcatError(
            "BAD_PARAMETER",
            f"A rule selects one entity, or one field of it, and has FROM and WHERE alone: {text}",
        )
    alias, *attribute = select.items[0].text.split(".")
    source = next((s for s in select.sources if s.alias.upper() == alias.upper()), None)
    if source is None:
        raise IcatError(
            "BAD_PARAMETER", f"'{alias}' is not a variable that the FROM clause of {text} defines"
        )
    entity = schema[_entity(source.path, select, schema)]
    if attribute and (len(attribute) > 1 or attribute[0] not in entity):
        raise IcatError("BAD_PARAMETER", f"{entity.name} does not have attribute {'.'.join(attribute)}")
    ids = Select((Path(alias, select.items[0].at),), select.sources, where=select.where)
    return What(entity.name, attribute[0] if attribute else None, ids, text)


def _has_more(statement: Statement) -> bool:
    select = statement.select
    limited = statement.offset or statement.number is not None or statement.include is not None
    return bool(limited or select.distinct or select.group or select.having or select.order)


def _entity(path: str, select: Select, schema: Schema) -> str:
    """Return the entity that a variable of FROM is over."""
    first, *way = path.split(".")
    if not way:
        return known(first, schema).name
    before = next((s for s in select.sources if s.alias.upper() == first.upper()), None)
    if before is None or before.path == path:
        raise IcatError("BAD_PARAMETER", f"'{first}' is not a variable that the FROM clause defines")
    entity = schema[_entity(before.path, select, schema)]
    for name in way:
        if name not in entity or entity[name].rel_type == "ATTRIBUTE":
            raise IcatError("BAD_PARAMETER", f"{entity.name} has no relationship field {name}")
        entity = schema[entity[name].type]
    return entity.name


@lru_cache(maxsize=4096)
def _sql(id_: int, text: str, version: str, zone: ZoneInfo) -> tuple[str, dict[str, Stored]]:
    """Return the sub-select of a rule; its names are its own, so that rules can stand side by side."""
    schema = Schema.load()
    found = _what(text, version)
    try:
        return sub_select(found.select, text, schema, zone=zone, prefix=f"r{id_}_")
    except IcatError as error:
        raise IcatError("INTERNAL", f"Derived JPQL reports {error.message}") from error
