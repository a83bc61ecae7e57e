"""A SELECT as SQL."""

from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo

from attrs import frozen

from pacer_sandbox.query import tree
from pacer_sandbox.query.access import Restriction
from pacer_sandbox.query.comparing import bound, collated
from pacer_sandbox.query.expressions import condition, value
from pacer_sandbox.query.include import Node, plan
from pacer_sandbox.query.scope import Context, Place, Scope, Sql, Stored
from pacer_sandbox.schema import Schema

Readable = Callable[[str], Restriction | None]


@frozen
class Item:
    """One thing that a query selects: a scalar, or an object with its columns."""

    kind: str
    names: tuple[str, ...] = ()
    """The fields of an object, one per column; empty for a scalar."""


@frozen
class Compiled:
    """A query ready to run.

    ``sql`` is ``None`` where the user has no right to anything; ``lone_count`` says that the answer is
    then 0 instead of nothing.
    """

    sql: str | None
    parameters: dict[str, Stored]
    items: tuple[Item, ...]
    include: tuple[Node, ...]
    lone_count: bool
    hidden: bool
    """Whether the last column is not for the answer."""
    offset: int
    number: int | None

    @property
    def columns(self) -> tuple[str, ...]:
        """The type of each column of the answer: an attribute's type, or an entity."""
        return tuple(item.kind for item in self.items)


def compile_query(
    statement: tree.Statement, schema: Schema, *, zone: ZoneInfo, readable: Readable, prefix: str = ""
) -> Compiled:
    """Turn a query into SQL, with what restricts the user.

    Raise ``IcatError``: BAD_PARAMETER for unknown names and what cannot stand where it stands, INTERNAL
    where the real server finds out too late.
    """
    select = statement.select
    context = Context(statement.text, schema, zone, _inner, prefix)
    scope = Scope(context)
    for source in select.sources:
        scope.declare(source)
    paths = dict.fromkeys(path.text for path in _named(select.items, scope))
    include = plan(statement, scope)
    items, columns = _items(select, scope, include)
    restrictions = []
    for text in paths:
        place, field = scope.resolve(tree.Path(text, 0), many=True)
        related = field is not None and field.rel_type != "ATTRIBUTE"
        restriction = readable(field.type if field is not None and related else place.entity.name)
        if restriction is not None:
            restrictions.append((scope.target(place, field) if related else place, restriction))
    lone_count = len(paths) == 1 and any(_counts(item) for item in select.items)
    if any(not restriction.selects for _, restriction in restrictions):
        return Compiled(None, {}, items, include, lone_count, False, statement.offset, statement.number)

    where = [] if select.where is None else [condition(select.where, scope)]
    for place, restriction in restrictions:
        where.append(restriction.condition(place.column("id")))
        context.parameters.update(restriction.parameters)
    tail, plain = _tail(select, scope)
    hidden = (scope.aggregated or bool(select.group)) and not scope.extreme and bool(paths)
    if hidden:  # the other columns then come from the first row of each group, as in MariaDB
        columns.append(f"MIN({scope.roots[0].column('id')})")
    if plain and not select.distinct and (select.order or statement.offset or statement.number):
        ids = ", ".join(root.column("id") for root in scope.roots)
        tail += f", {ids}" if select.order else f" ORDER BY {ids}"
    distinct = "DISTINCT " if select.distinct else ""
    sql = f"SELECT {distinct}{', '.join(columns)}{_body(scope, where)}{tail} LIMIT :limit OFFSET :offset"
    return Compiled(
        sql, context.parameters, items, include, lone_count, hidden, statement.offset, statement.number
    )


def sub_select(
    select: tree.Select, text: str, schema: Schema, *, zone: ZoneInfo, prefix: str
) -> tuple[str, dict[str, Stored]]:
    """Turn a SELECT of one object into a sub-select of ids with its parameters, to stand in another query."""
    context = Context(text, schema, zone, _inner, prefix)
    found = _compile_inner(select, Scope(context))
    return found.text, context.parameters


def _inner(select: tree.Select, outer: Scope) -> Sql:
    return _compile_inner(select, Scope(outer.context, outer))


def _compile_inner(select: tree.Select, scope: Scope) -> Sql:
    for source in select.sources:
        scope.declare(source)
    if len(select.items) != 1:
        raise scope.context.refuse(select.sources[0].at, "a sub-select finds one thing alone")
    scope.aggregates = True
    item = bound(value(select.items[0], scope), scope)
    scope.aggregates = False
    where = [] if select.where is None else [condition(select.where, scope)]
    tail, _ = _tail(select, scope)
    distinct = "DISTINCT " if select.distinct else ""
    text = f"SELECT {distinct}{item.text} AS found{_body(scope, where)}{tail}"
    return Sql(text, item.kind, object=item.object)


def _items(
    select: tree.Select, scope: Scope, include: tuple[Node, ...]
) -> tuple[tuple[Item, ...], list[str]]:
    """Return what is selected and its columns in SQL."""
    items, columns = [], []
    scope.aggregates = scope.spread = True
    for item in select.items:
        place = _object(item, scope)
        if place is None:
            found = bound(value(item, scope), scope)
            items.append(Item(found.kind))
            text = collated(found) if select.distinct else found.text
            columns.append(f"CAST({text} AS INTEGER)" if _whole_quotient(item, found) else text)
            continue
        wanted = {node.field.name for node in include}
        names = tuple(
            column.name
            for column in place.entity.columns
            if column.rel_type == "ATTRIBUTE" or column.name in wanted
        )
        items.append(Item(place.entity.name, names))
        columns += [place.column(name) for name in names]
    scope.aggregates = scope.spread = False
    return tuple(items), columns


def _whole_quotient(item: tree.Expression, found: Sql) -> bool:
    """Tell whether a selected number is a division that the real server turns into a whole number."""
    return isinstance(item, tree.Arithmetic) and item.operator == "/" and found.kind != "Double"


def _object(item: tree.Expression, scope: Scope) -> Place | None:
    """Return the table of a selected object; ``None`` for anything else."""
    if not isinstance(item, tree.Path):
        return None
    place, field = scope.resolve(item, many=True)
    return None if field is not None and field.rel_type == "ATTRIBUTE" else scope.target(place, field)


def _named(items: tuple[tree.Expression, ...], scope: Scope) -> Iterator[tree.Path]:
    """Yield all paths in SELECT; refuse what ICAT's own reading of SELECT does not understand.

    ICAT takes each word that is not a keyword for a variable, and a quoted text loses its quotes there.
    """
    for item in items:
        match item:
            case tree.Path():
                yield item
            case tree.Size(path):
                yield path
            case tree.Call(name, arguments, at):
                if not item.keyword:
                    raise scope.context.refuse(at, f"idVar '{name}' is not defined in the FROM clause")
                yield from _named(arguments, scope)
            case tree.Arithmetic(_, left, right):
                yield from _named((left, right), scope)
            case tree.Negative(of) | tree.Trim(_, None, of):
                yield from _named((of,), scope)
            case tree.Number() | tree.Truth() | tree.Now():
                pass
            case _:
                raise scope.context.refuse(0, f"{type(item).__name__} cannot stand in the SELECT clause")


def _counts(item: tree.Expression) -> bool:
    return isinstance(item, tree.Call) and item.name == "COUNT"


def _tail(select: tree.Select, scope: Scope) -> tuple[str, bool]:
    """Return GROUP BY, HAVING and ORDER BY, and whether rows are still what FROM gives.

    ICAT hands on what stands here word by word: texts lose their quotes.
    """
    text = ""
    scope.aggregates, scope.literals = True, scope.outer is not None
    if select.group:
        text += " GROUP BY " + ", ".join(collated(bound(value(by, scope), scope)) for by in select.group)
    if select.having is not None:
        text += f" HAVING {condition(select.having, scope)}"
    if select.order:
        sorts = [
            collated(bound(value(by, scope), scope)) + (" DESC" if downwards else "")
            for by, downwards in select.order
        ]
        text += " ORDER BY " + ", ".join(sorts)
    scope.aggregates, scope.literals = False, True
    return text, not (scope.aggregated or select.group)


def _body(scope: Scope, where: list[str]) -> str:
    conditions = [*scope.links, *where]
    text = f" FROM {''.join(scope.tables)}"
    return f"{text} WHERE {' AND '.join(f'({one})' for one in conditions)}" if conditions else text
