"""Values and conditions of a query as SQL."""

from pacer_sandbox.errors import IcatError
from pacer_sandbox.query import constants, tree
from pacer_sandbox.query.comparing import NULL, USER, adapt, bound, collated, compare
from pacer_sandbox.query.functions import DATABASE, FUNCTIONS
from pacer_sandbox.query.scope import Place, Scope, Sql
from pacer_sandbox.schema import Field

_ENUMS = "org.icatproject."


def condition(node: tree.Expression, scope: Scope) -> str:
    """Return a condition in SQL.

    Raise ``IcatError``: BAD_PARAMETER for unknown names and where a mere value stands, INTERNAL for what
    the real server's persistence layer cannot compare.
    """
    match node:
        case tree.And(parts):
            return "(" + " AND ".join(condition(part, scope) for part in parts) + ")"
        case tree.Or(parts):
            return "(" + " OR ".join(condition(part, scope) for part in parts) + ")"
        case tree.Not(of):
            return f"NOT ({condition(of, scope)})"
        case tree.Compare(operator, left, right):
            return compare(operator, value(left, scope), value(right, scope), scope)
        case tree.CompareWith():
            return _compare_with(node, scope)
        case tree.Like():
            return _like(node, scope)
        case tree.Between(of, low, high, negated):
            value_of = value(of, scope)
            inside = (
                f"({compare('>=', value_of, value(low, scope), scope)}"
                f" AND {compare('<=', value_of, value(high, scope), scope)})"
            )
            return f"NOT {inside}" if negated else inside
        case tree.Among():
            return _among(node, scope)
        case tree.Member(of, path, negated):
            return _member(value(of, scope), path, negated, scope)
        case tree.IsNull(of, negated):
            return f"{bound(value(of, scope), scope).text} IS {'NOT ' if negated else ''}NULL"
        case tree.IsEmpty(of, negated):
            place, field = _collection(of, scope)
            return f"{'' if negated else 'NOT '}EXISTS (SELECT 1{_members(place, field)})"
        case tree.Exists(select):
            return f"EXISTS ({scope.context.inner(select, scope).text})"
        case _:
            raise scope.context.refuse(_at(node), "a value stands where a condition is needed")


def value(node: tree.Expression, scope: Scope) -> Sql:
    """Return a value in SQL. Raise ``IcatError`` BAD_PARAMETER for unknown names and for conditions."""
    match node:
        case tree.Path():
            return _path(node, scope)
        case tree.Text(text):
            _check_literal(node, scope)
            return Sql("", "String", constant=True, value=text)
        case tree.Number(number):
            kind = "Double" if isinstance(number, float) else "Integer" if abs(number) < 2**31 else "Long"
            return Sql("", kind, constant=True, value=number)
        case tree.Truth(truth):
            return Sql("", "boolean", constant=True, value=int(truth))
        case tree.Null():
            return NULL
        case tree.Moment(text):
            _check_literal(node, scope)
            return Sql("", "Date", constant=True, value=constants.timestamp(text, scope.context.zone))
        case tree.Now(name):
            return Sql(":today" if name == "CURRENT_DATE" else ":now", "Date")
        case tree.Parameter(name, at):
            if name != "user":
                raise IcatError("INTERNAL", f"the query parameter :{name} at character {at + 1} has no value")
            return USER
        case tree.Call():
            return _call(node, scope)
        case tree.Trim(side, char, of):
            blank = Sql("' '", "String") if char is None else bound(value(char, scope), scope)
            return Sql(f"icat_trim('{side}', {blank.text}, {bound(value(of, scope), scope).text})", "String")
        case tree.Size(path):
            place, field = _collection(path, scope)
            return Sql(f"(SELECT COUNT(*){_members(place, field)})", "Integer")
        case tree.Arithmetic(operator, left, right):
            return _arithmetic(operator, value(left, scope), value(right, scope), scope)
        case tree.Negative(of):
            number_of = value(of, scope)
            if number_of.constant and isinstance(number_of.value, int | float):
                return Sql("", number_of.kind, constant=True, value=-number_of.value)
            return Sql(f"(- {bound(number_of, scope).text})", number_of.kind)
        case tree.Case():
            return _case(node, scope)
        case tree.Scalar(select):
            found = scope.context.inner(select, scope)
            return Sql(f"({found.text})", found.kind, object=found.object)
        case (
            tree.And()
            | tree.Or()
            | tree.Not()
            | tree.Compare()
            | tree.CompareWith()
            | tree.Like()
            | tree.Between()
            | tree.Among()
            | tree.Member()
            | tree.IsNull()
            | tree.IsEmpty()
            | tree.Exists()
        ):
            raise scope.context.refuse(_at(node), "a condition stands where a value is needed")


def _at(node: tree.Expression) -> int:
    """Return the first position known inside a node."""
    at = getattr(node, "at", None)
    if isinstance(at, int):
        return at
    for name in ("left", "of", "path"):
        inner = getattr(node, name, None)
        if inner is not None:
            return _at(inner)
    parts = getattr(node, "parts", ())
    return _at(parts[0]) if parts else 0


def _check_literal(node: tree.Expression, scope: Scope) -> None:
    """Refuse what ICAT hands on without its quotes, and so as something else."""
    if not scope.literals:
        why = "a text, a moment or an enumeration can stand in WHERE alone"
        raise scope.context.refuse(_at(node), why)


def _path(path: tree.Path, scope: Scope) -> Sql:
    if path.text.startswith(_ENUMS):
        return _enumerated(path, scope)
    place, field = scope.resolve(path)
    if field is None:
        return Sql(place.column("id"), place.entity.name, object=True)
    if field.rel_type == "MANY":
        if not scope.spread:
            raise scope.context.refuse(path.at, f"{path.text} is a to-many relation and has no value")
        return Sql(scope.join(place, field).column("id"), field.type, object=True)
    return Sql(place.column(field.name), field.type, column=True, object=field.rel_type == "ONE")


def _enumerated(path: tree.Path, scope: Scope) -> Sql:
    _check_literal(path, scope)
    parts = path.text.split(".")
    if len(parts) != 4:
        raise scope.context.refuse(path.at, f"Enum literal {path.text} must contain exactly 4 parts")
    if parts[3] not in scope.context.schema.enums.get(parts[2], ()):
        raise scope.context.refuse(path.at, f"{path.text} is no value of an enumeration")
    return Sql("", parts[2], constant=True, value=parts[3])


def _call(call: tree.Call, scope: Scope) -> Sql:
    if call.name in ("AVG", "COUNT", "MAX", "MIN", "SUM"):
        return _aggregate(call, scope)
    function, given = FUNCTIONS.get(call.name), list(call.arguments)
    if call.name in ("FUNCTION", "FUNC") and isinstance(given[0], tree.Text):
        function = DATABASE.get(given[0].value.upper())
        given = given[1:]
    if function is None:
        raise scope.context.refuse(call.at, f"the sandbox knows no function {call.name} like this")
    if not function.least <= len(given) <= function.most:
        raise scope.context.refuse(call.at, f"{call.name} does not take {len(given)} arguments")
    return function.call([bound(value(argument, scope), scope) for argument in given])


def _aggregate(call: tree.Call, scope: Scope) -> Sql:
    if not scope.aggregates:
        raise scope.context.refuse(call.at, f"{call.name} cannot stand here")
    scope.aggregated = True
    of = bound(value(call.arguments[0], scope), scope)
    distinct = "DISTINCT " if call.distinct else ""
    if call.name == "COUNT":
        return Sql(f"COUNT({distinct}{of.text})", "Long")
    if call.name in ("MIN", "MAX"):
        scope.extreme = True
        if of.object:
            raise scope.context.refuse(call.at, f"{call.name} of objects")
        return Sql(f"{call.name}({collated(of)})", of.kind)
    if of.kind not in constants.NUMBERS:
        raise scope.context.refuse(call.at, f"{call.name} needs numbers")
    whole = of.kind in ("Long", "Integer")
    text = f"{call.name}({distinct}{of.text})"
    if call.name == "AVG":  # MariaDB's average of whole numbers is a decimal with four digits
        return Sql(f"ROUND({text}, 4)" if whole else text, "Double")
    return Sql(text, "Long" if whole else of.kind)


def _arithmetic(operator: str, left: Sql, right: Sql, scope: Scope) -> Sql:
    kinds = {left.kind, right.kind}
    kind = "Double" if "Double" in kinds else "Long" if "Long" in kinds else "Integer"
    if left.column and right.constant:  # the real server converts it: 1.5 times a Long is 1 times it
        right = adapt(right, left, scope)
    left, right = bound(left, scope), bound(right, scope)
    if operator == "/":  # MariaDB's division of whole numbers has decimals
        return Sql(f"(CAST({left.text} AS REAL) / {right.text})", kind)
    return Sql(f"({left.text} {operator} {right.text})", kind)


def _case(case: tree.Case, scope: Scope) -> Sql:
    operand = None if case.operand is None else value(case.operand, scope)
    results = [bound(value(result, scope), scope) for _, result in case.branches]
    results.append(bound(value(case.otherwise, scope), scope))
    text = "CASE"
    for (when, _), result in zip(case.branches, results[:-1], strict=True):
        holds = (
            condition(when, scope) if operand is None else compare("=", operand, value(when, scope), scope)
        )
        text += f" WHEN {holds} THEN {result.text}"
    kind = next((result.kind for result in results if result is not NULL), "null")
    return Sql(f"({text} ELSE {results[-1].text} END)", kind)


def _like(like: tree.Like, scope: Scope) -> str:
    of = bound(value(like.of, scope), scope)
    pattern = bound(adapt(value(like.pattern, scope), of, scope), scope)
    escape = ""
    if like.escape is not None:
        given = like.escape
        if not isinstance(given, tree.Text) or len(given.value) != 1:
            raise scope.context.refuse(_at(like.of), "ESCAPE needs a single character")
        escape = f", {scope.context.bind(given.value)}"
    return f"{'NOT ' if like.negated else ''}icat_like({pattern.text}, {of.text}{escape})"


def _among(among: tree.Among, scope: Scope) -> str:
    of = value(among.of, scope)
    negated = "NOT " if among.negated else ""
    if isinstance(among.items, tree.Select):
        found = scope.context.inner(among.items, scope)
        if found.object != of.object:
            raise IcatError("INTERNAL", "an object can only be compared with an object")
        return f"{collated(bound(of, scope))} {negated}IN ({found.text})"
    items = [value(item, scope) for item in among.items]
    if any(item.object != of.object for item in items if item is not NULL):
        raise IcatError("INTERNAL", "an object can only be compared with an object")
    texts = ", ".join(adapt(item, of, scope).text for item in items)
    return f"{collated(bound(of, scope))} {negated}IN ({texts})"


def _compare_with(node: tree.CompareWith, scope: Scope) -> str:
    left = bound(value(node.left, scope), scope)
    found = scope.context.inner(node.select, scope)
    if found.object != left.object:
        raise IcatError("INTERNAL", "an object can only be compared with an object")
    column = f"{scope.context.new_alias()}"
    holds = f"({collated(left)} {node.operator} {column}.found)"
    rows = f"FROM ({found.text}) {column} WHERE"
    last, first = ("1", f"NOT {holds}") if node.quantifier == "ALL" else ("0", holds)
    return (
        f"(CASE WHEN EXISTS (SELECT 1 {rows} {first}) THEN {1 - int(last)}"
        f" WHEN EXISTS (SELECT 1 {rows} {holds} IS NULL) THEN NULL ELSE {last} END)"
    )


def _member(of: Sql, path: tree.Path, negated: bool, scope: Scope) -> str:
    place, field = _collection(path, scope)
    if not of.object or of.kind != field.type:
        raise scope.context.refuse(path.at, f"only a {field.type} can be a member of {path.text}")
    members = f"SELECT id{_members(place, field)}"
    return f"{of.text} {'NOT ' if negated else ''}IN ({members})"


def _collection(node: tree.Expression, scope: Scope) -> tuple[Place, Field]:
    if isinstance(node, tree.Path):
        place, field = scope.resolve(node)
        if field is not None and field.rel_type == "MANY":
            return place, field
    raise scope.context.refuse(_at(node), "only a to-many relation has members")


def _members(place: Place, field: Field) -> str:
    return f' FROM "{field.type}" WHERE "{field.type}"."{field.inverse}" = {place.column("id")}'
