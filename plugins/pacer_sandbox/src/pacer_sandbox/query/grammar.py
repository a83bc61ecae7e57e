"""Text to trees: the only door to lark, imported when the first query comes.

The grammars are made on first use (a fifth of a second) and kept.
"""

from functools import cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken, VisitError

from pacer_sandbox.errors import IcatError
from pacer_sandbox.query.reading import Builder, Children, refuse

STARTS = {"jpql": ["statement", "got"], "concise": ["query"]}
"""The grammars, and what each can read."""


def build(grammar: str, text: str, builders: dict[str, Builder], start: str) -> Any:
    """Read ``text`` and make its tree, one builder per rule of the grammar."""
    try:
        tree = _parser(grammar).parse(text, start=start)
        return _Building(builders).transform(tree)
    except UnexpectedCharacters as error:
        at = error.pos_in_stream or 0
        why = "the quoted text has no end" if text[at] == "'" else f"Unexpected character {text[at]!r}"
        raise refuse(text, at, why) from None
    except UnexpectedEOF:
        raise _short() from None
    except UnexpectedToken as error:
        raise _unexpected(text, error) from None
    except VisitError as error:
        raise error.orig_exc from None


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


def _short() -> IcatError:
    return IcatError("BAD_PARAMETER", "Attempt to read beyond end: the query is not complete")


def _unexpected(text: str, error: UnexpectedToken) -> IcatError:
    token: Token = error.token
    if token.type == "$END":
        return _short()
    if token.type == "FETCH":
        return refuse(text, token.start_pos or 0, "The FETCH keyword is not permitted")
    wanted = ", ".join(sorted(error.accepts or error.expected))
    return refuse(text, token.start_pos or 0, f"Expected one of {wanted} and not '{token}'")
