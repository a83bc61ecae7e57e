"""What the names in a query stand for: variables, the tables behind them, and the joins that paths imply."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from attrs import Factory, define, frozen

from pacer_sandbox.errors import IcatError
from pacer_sandbox.query import tree
from pacer_sandbox.query.reading import refuse
from pacer_sandbox.schema import Entity, Field, Schema

Stored = str | int | float | None
"""What SQLite keeps in a column."""


@frozen
class Sql:
    """A value in SQL and what it is.

    ``kind`` is an attribute's type as the schema names it, ``BigDecimal``, an entity's name for an object
    (whose ``text`` is then its id), or ``null``. A ``column`` brings its own collation; a ``constant``
    is not yet bound, because what it is compared with says what it has to be.
    """

    text: str
    kind: str
    column: bool = False
    object: bool = False
    constant: bool = False
    value: Stored = None


@frozen
class Place:
    """A table in the FROM clause: its alias in SQL and the entity it holds."""

    alias: str
    entity: Entity

    def column(self, name: str) -> str:
        """Return the SQL of one of its columns."""
        return f'{self.alias}."{name}"'


@define
class Context:
    """What all parts of one query share while it becomes SQL."""

    text: str
    schema: Schema
    zone: ZoneInfo
    inner: "Callable[[tree.Select, Scope], Sql]"
    """Turns a sub-select into SQL."""
    prefix: str = ""
    """Begins each alias and each parameter, so that rules can stand inside a query."""
    parameters: dict[str, Stored] = Factory(dict)
    aliases: int = 0

    def bind(self, value: Stored) -> str:
        """Return the placeholder of a value."""
        name = f"{self.prefix}p{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"

    def refuse(self, at: int, why: str) -> IcatError:
        """Return the refusal of what stands at a character of the query."""
        return refuse(self.text, at, why)

    def new_alias(self) -> str:
        """Return an alias that nothing has yet."""
        self.aliases += 1
        return f"{self.prefix}t{self.aliases - 1}"


@define
class Scope:
    """The variables of one SELECT, inside those of the SELECT around it."""

    context: Context
    outer: "Scope | None" = None
    tables: list[str] = Factory(list)
    """The FROM clause, piece by piece."""
    links: list[str] = Factory(list)
    """Conditions that tie a table to one of an outer SELECT."""
    roots: list[Place] = Factory(list)
    """The tables of the declared variables."""
    aggregates: bool = False
    """Whether an aggregate may stand here."""
    literals: bool = True
    """Whether texts, moments and enumerations may stand here."""
    spread: bool = False
    """Whether a path may end in a to-many relation, and then stands for each of its members."""
    aggregated: bool = False
    extreme: bool = False
    """Whether an aggregate has been seen, and whether MIN or MAX was one of them."""
    _variables: dict[str, Place] = Factory(dict)
    _joined: dict[tuple[str, str], Place] = Factory(dict)

    def declare(self, source: tree.Source) -> None:
        """Take in one variable of the FROM clause."""
        name = source.alias.upper()
        if name in self._variables:
            raise self.context.refuse(source.at, f"variable {source.alias} has already been defined")
        if "." in source.alias:
            raise self.context.refuse(source.at, f"variable {source.alias} must not contain a '.'")
        if "." in source.path:
            place = self._declare_path(source)
        elif source.how != "FROM" or source.path not in self.context.schema:
            raise self.context.refuse(
                source.at, f"No information to determine type of {source.path} in the FROM clause"
            )
        else:
            place = Place(self.context.new_alias(), self.context.schema[source.path])
            self._add_table(place)
        self._variables[name] = place
        self.roots.append(place)

    def _declare_path(self, source: tree.Source) -> Place:
        first, *way = source.path.split(".")
        start = self.variable(first, source.at)
        for name in way[:-1]:
            start = self.join(start, self._relation(start, name, source.at))
        field = self._relation(start, way[-1], source.at)
        place = Place(self.context.new_alias(), self.context.schema[field.type])
        if source.how == "FROM" and not self._owns(start):
            self._add_table(place)
            self.links.append(_link(start, field, place))
        else:
            how = "LEFT JOIN" if source.how == "LEFT JOIN" else "JOIN"
            self.tables.append(f' {how} "{place.entity.name}" {place.alias} ON {_link(start, field, place)}')
        return place

    def _owns(self, place: Place) -> bool:
        return place in self._variables.values() or place in self._joined.values()

    def _add_table(self, place: Place) -> None:
        self.tables.append(f'{", " if self.tables else ""}"{place.entity.name}" {place.alias}')

    def _relation(self, place: Place, name: str, at: int) -> Field:
        field = place.entity.by_name.get(name)
        if field is None or field.rel_type == "ATTRIBUTE":
            raise self.context.refuse(at, f"{place.entity.name} has no relationship field {name}")
        return field

    def variable(self, name: str, at: int) -> Place:
        """Return the table of a variable, here or further out."""
        scope: Scope | None = self
        while scope is not None:
            found = scope._variables.get(name.upper())
            if found is not None:
                return found
            scope = scope.outer
        raise self.context.refuse(at, f"'{name}' is not a variable that the FROM clause defines")

    def join(self, start: Place, field: Field) -> Place:
        """Return the table at the end of a relation, joined once; rows without a target fall out."""
        found = self._joined.get((start.alias, field.name))
        if found is None:
            found = Place(self.context.new_alias(), self.context.schema[field.type])
            table = f'"{found.entity.name}" {found.alias}'
            if self.tables:
                self.tables.append(f" JOIN {table} ON {_link(start, field, found)}")
            else:
                self.tables.append(table)
                self.links.append(_link(start, field, found))
            self._joined[start.alias, field.name] = found
        return found

    def resolve(self, path: tree.Path, *, many: bool = False) -> tuple[Place, Field | None]:
        """Follow a path to its last field, which is ``None`` where it is a variable alone.

        A to-many relation on the way is refused, unless ``many``.
        """
        first, *way = path.text.split(".")
        place = self.variable(first, path.at)
        for name in way[:-1]:
            field = self._relation(place, name, path.at)
            if field.rel_type == "MANY" and not many:
                raise self.context.refuse(path.at, f"the path {path.text} leads through a to-many relation")
            place = self.join(place, field)
        if not way:
            return place, None
        last = place.entity.by_name.get(way[-1])
        if last is None:
            raise self.context.refuse(path.at, f"{place.entity.name} has no field {way[-1]}")
        return place, last

    def target(self, place: Place, field: Field | None) -> Place:
        """Return the table of the object at the end of a path."""
        return place if field is None else self.join(place, field)


def _link(start: Place, field: Field, end: Place) -> str:
    if field.rel_type == "MANY":
        return f"{end.column(field.inverse)} = {start.column('id')}"
    return f"{end.column('id')} = {start.column(field.name)}"
