"""What a query says, as data: the one tree that both syntaxes are read into.

Every node that can be refused knows where it stands: ``at`` is the character in the query's text.
"""

from typing import Literal as Choice

from attrs import frozen


@frozen
class Text:
    """A quoted string."""

    value: str


@frozen
class Number:
    """A whole or a real number."""

    value: int | float


@frozen
class Truth:
    """``TRUE`` or ``FALSE``."""

    value: bool


@frozen
class Null:
    """``NULL`` as a value."""


@frozen
class Moment:
    """``{ts yyyy-mm-dd hh:mm:ss}`` in the server's own time."""

    value: str
    at: int


@frozen
class Now:
    """``CURRENT_TIMESTAMP``, ``CURRENT_DATE`` or ``CURRENT_TIME``."""

    name: str


@frozen
class Parameter:
    """A named parameter; ICAT knows ``user`` alone."""

    name: str
    at: int


@frozen
class Path:
    """A variable, or a dotted way that starts at one; also the literal of an enumeration."""

    text: str
    at: int


@frozen
class Call:
    """A function of values, or an aggregate."""

    name: str
    arguments: "tuple[Expression, ...]"
    at: int
    distinct: bool = False
    keyword: bool = True
    """Whether ICAT's own reading of a query knows the name."""


@frozen
class Trim:
    """``TRIM``, with the side and the character to take away."""

    side: str
    char: "Expression | None"
    of: "Expression"


@frozen
class Size:
    """The number of members of a to-many relation."""

    path: Path


@frozen
class Arithmetic:
    """``+``, ``-``, ``*`` or ``/`` of two numbers."""

    operator: str
    left: "Expression"
    right: "Expression"


@frozen
class Negative:
    """A number with its sign changed."""

    of: "Expression"


@frozen
class Case:
    """``CASE``; without ``operand`` each ``WHEN`` is a condition of its own."""

    operand: "Expression | None"
    branches: "tuple[tuple[Expression, Expression], ...]"
    otherwise: "Expression"


@frozen
class Compare:
    """Two values compared."""

    operator: str
    left: "Expression"
    right: "Expression"


@frozen
class CompareWith:
    """A value compared with all, or any, of what a sub-select finds."""

    operator: str
    left: "Expression"
    quantifier: Choice["ALL", "ANY"]
    select: "Select"


@frozen
class Like:
    """A text compared with a pattern."""

    of: "Expression"
    pattern: "Expression"
    escape: "Expression | None"
    negated: bool


@frozen
class Between:
    """A value within two bounds, which belong to the range."""

    of: "Expression"
    low: "Expression"
    high: "Expression"
    negated: bool


@frozen
class Among:
    """A value in a list, or in what a sub-select finds."""

    of: "Expression"
    items: "tuple[Expression, ...] | Select"
    negated: bool


@frozen
class Member:
    """An object in a to-many relation."""

    of: "Expression"
    path: Path
    negated: bool


@frozen
class IsNull:
    """A value that is missing."""

    of: "Expression"
    negated: bool


@frozen
class IsEmpty:
    """A to-many relation without members."""

    of: "Expression"
    negated: bool


@frozen
class Exists:
    """A sub-select that finds something."""

    select: "Select"


@frozen
class Scalar:
    """A sub-select as a value."""

    select: "Select"


@frozen
class Not:
    """A condition that does not hold."""

    of: "Expression"


@frozen
class And:
    """Conditions that hold together."""

    parts: "tuple[Expression, ...]"


@frozen
class Or:
    """Conditions of which one holds."""

    parts: "tuple[Expression, ...]"


Expression = (
    Text
    | Number
    | Truth
    | Null
    | Moment
    | Now
    | Parameter
    | Path
    | Call
    | Trim
    | Size
    | Arithmetic
    | Negative
    | Case
    | Compare
    | CompareWith
    | Like
    | Between
    | Among
    | Member
    | IsNull
    | IsEmpty
    | Exists
    | Scalar
    | Not
    | And
    | Or
)


@frozen
class Source:
    """One variable of FROM: over an entity, or over a relation of another variable."""

    path: str
    alias: str
    how: Choice["FROM", "JOIN", "LEFT JOIN"]
    at: int


@frozen
class Select:
    """A SELECT, the whole of a query or inside another."""

    items: tuple[Expression, ...]
    sources: tuple[Source, ...]
    distinct: bool = False
    where: Expression | None = None
    group: tuple[Expression, ...] = ()
    having: Expression | None = None
    order: tuple[tuple[Expression, bool], ...] = ()
    """What to sort by, each with whether downwards."""


@frozen
class Step:
    """One step of INCLUDE: a path, and the name by which later steps may go on from its end."""

    path: str
    alias: str | None
    at: int


@frozen
class Include:
    """INCLUDE: steps, or with ``one`` every to-one relation."""

    steps: tuple[Step, ...]
    one: bool = False


@frozen
class Statement:
    """A whole search: a SELECT and the clauses that are ICAT's own."""

    text: str
    select: Select
    include: Include | None = None
    offset: int = 0
    number: int | None = None


@frozen
class GetStatement:
    """The query of ``get``: an entity and what to include."""

    entity: str
    alias: str
    include: Include | None = None
