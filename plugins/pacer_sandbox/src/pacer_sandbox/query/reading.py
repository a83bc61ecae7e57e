"""Text to trees: the only door to lark.

The grammars are made on first use (a fifth of a second) and kept.
"""

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken, VisitError

from pacer_sandbox.errors import IcatError

Children = list[Any]
Builder = Callable[[Children], Any]

STARTS = {"jpql": ["statement", "got"], "concise": ["query"]}
"""The grammars, and what each can read."""


def read(grammar: str, text: str, builders: dict[str, Builder], start: str) -> Any:
    """Read ``text`` and build its tree: each builder makes one node from what its parts became.

    Raise ``IcatError`` BAD_PARAMETER with the position of what cannot be read.
    """
    try:
        tree = _parser(grammar).parse(text, start=start)
    except UnexpectedCharacters as error:
        raise _unreadable(text, error.pos_in_stream or 0) from None
    except UnexpectedEOF:
        raise _short(text) from None
    except UnexpectedToken as error:
        raise _unexpected(text, error) from None
    try:
        return _Building(builders).transform(tree)
    except VisitError as error:
        raise error.orig_exc from None


def refuse(text: str, at: int, why: str) -> IcatError:
    """Return the refusal of what stands at a character of the query."""
    return IcatError("BAD_PARAMETER", f"{why} (at character {at + 1} of: {text})")


@cache
def _parser(grammar: str) -> Lark:
    source = files("pacer_sandbox.query").joinpath(f"{grammar}.lark").read_text("utf-8")
    return Lark(source, start=STARTS[grammar], parser="lalr", lexer="basic", maybe_placeholders=True)


class _Building(Transformer[Token, Any]):
    """Calls the builder named like the rule; a rule without one is an error of ours."""

    def __init__(self, builders: dict[str, Builder]) -> None:
        super().__init__(visit_tokens=False)
        self._builders = builders

    def __default__(self, data: str, children: Children, meta: Any) -> Any:
        return self._builders[data](children)


def _unreadable(text: str, at: int) -> IcatError:
    if text[at] == "'":
        return IcatError("BAD_PARAMETER", f"Unexpected end of string in quotes for string: {text}")
    near = text[max(0, at - 4) : at + 5]
    return refuse(text, at, f"Unexpected character {text[at]!r} near {near!r}")


def _short(text: str) -> IcatError:
    return IcatError("BAD_PARAMETER", f"Attempt to read beyond end of: {text!r}")


def _unexpected(text: str, error: UnexpectedToken) -> IcatError:
    token: Token = error.token
    if token.type == "$END":
        return _short(text)
    if token.type == "FETCH":
        return refuse(text, token.start_pos or 0, "The FETCH keyword is not permitted")
    wanted = ", ".join(sorted(error.accepts or error.expected))
    return refuse(text, token.start_pos or 0, f"Expected one of {wanted} and not '{token}'")
