"""What reading a query needs in both syntaxes."""

from collections.abc import Callable
from typing import Any

from pacer_sandbox.errors import IcatError

Children = list[Any]
Builder = Callable[[Children], Any]
"""Makes a part of the tree from what the parts of a grammar's rule have become."""

_NEAR = 24


def read(grammar: str, text: str, builders: dict[str, Builder], start: str) -> Any:
    """Read ``text`` and build its tree.

    Raise ``IcatError``: BAD_PARAMETER with the position of what cannot be read, INTERNAL for a query
    nested too deeply.
    """
    from pacer_sandbox.query.grammar import build  # here: lark takes a tenth of a second to import

    try:
        return build(grammar, text, builders, start)
    except RecursionError:
        raise IcatError("INTERNAL", "the query is nested too deeply") from None


def refuse(text: str, at: int, why: str) -> IcatError:
    """Return the refusal of what stands at a character of the query."""
    return IcatError("BAD_PARAMETER", f"{why} (at character {at + 1}, near {text[at : at + _NEAR]!r})")
