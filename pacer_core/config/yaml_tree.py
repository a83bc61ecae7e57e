"""YAML text into a tree that knows its places, or into problems: what ruamel would stop at is passed over."""

from __future__ import annotations

import io
import warnings
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from pacer_core.config.problems import Code, Problem

ASIDE = "!put-aside"
"""The tag of what was put aside, and reported, before it became data."""

_YAML = "tag:yaml.org,2002:"
STR = _YAML + "str"
_PLAIN_TAGS = {_YAML + one for one in ("str", "int", "float", "bool", "null", "timestamp", "merge")}
_MOST = 100_000
"""So many values, aliases counted as often as they are used, are more than any configuration has."""


def parse(name: str, text: str) -> tuple[Any, list[Problem]]:
    """Give the tree of a file's text, ``None`` where it is no YAML, and what is wrong with it."""
    yaml = YAML(typ="rt")
    yaml.Constructor = _Constructor
    try:
        with warnings.catch_warnings():  # an anchor that is used twice means the later value, as YAML has it
            warnings.simplefilter("ignore", ReusedAnchorWarning)
            tree = yaml.load(text)
    except YAMLError as error:
        return None, [_problem(name, text, error)]
    except RecursionError:
        return None, [Problem(name, 1, 1, "is nested too deeply", Code.SYNTAX)]
    problems = [
        Problem(name, line, column, f"found duplicate key {key!r}", Code.DUPLICATE_KEY)
        for key, line, column in yaml.constructor.repeated
    ]
    problems += [Problem(name, *place) for place in yaml.constructor.refused]
    if tree is None or tree == {}:
        problems.append(Problem(name, 1, 1, "is empty; `pacer init` writes a first one", Code.MISSING))
    return tree, problems


def dump(data: Any) -> str:
    """Write plain data as YAML, a line for each value."""
    text = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style, yaml.width = False, 1000
    yaml.dump(data, text)
    return text.getvalue()


class _Constructor(RoundTripConstructor):
    """Notes what ruamel would stop at, or make something of that is no plain value, and goes on.

    A key that is there twice keeps its first value. What has a tag that is none of ours is put aside.
    """

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.repeated: list[tuple[str, int, int]] = []
        self.refused: list[tuple[int, int, str, Code]] = []
        self._kept: list[Any] = []  # so that no other node gets the identity of one

    def check_mapping_key(self, node: Any, key_node: Any, mapping: Any, key: Any, value: Any) -> bool:
        if key not in mapping:
            return True
        self.repeated.append((str(key), key_node.start_mark.line + 1, key_node.start_mark.column + 1))
        return False

    def construct_document(self, node: Any) -> Any:
        """Make data of the whole file."""
        self._sizes: dict[int, int] = {}
        return super().construct_document(self._examined(node))

    def construct_non_recursive_object(self, node: Any, tag: str | None = None) -> Any:
        """Make one value; what Python's own types say to a bad one gets its place."""
        try:
            return super().construct_non_recursive_object(node, tag)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            what = f"is no value of {str(node.tag).replace(_YAML, '!!')}"
            raise ConstructorError(None, None, what, node.start_mark) from None

    def _examined(self, node: Any) -> Any:
        """Give a node without what has a tag that is not known, or what stands in its place."""
        if id(node) in self._sizes:
            if not self._sizes[id(node)]:
                raise ConstructorError(None, None, "a value cannot contain itself", node.start_mark)
            return node
        self._sizes[id(node)] = 0  # while it is being looked at
        size = 1
        if not self._fits(node):
            node = self._put_aside(node)
        elif isinstance(node, MappingNode):
            pairs = [pair for pair in node.value if self._is_key(pair[0])]
            node.value = [(self._examined(key), self._examined(value)) for key, value in pairs]
            size += sum(self._sizes[id(one)] for pair in node.value for one in pair)
        elif isinstance(node, SequenceNode):
            node.value = [self._examined(one) for one in node.value]
            size += sum(self._sizes[id(one)] for one in node.value)
        if size > _MOST:
            what = f"aliases make more than {_MOST:,} values of this"
            raise ConstructorError(None, None, what, node.start_mark)
        self._sizes[id(node)] = size
        return node

    def _is_key(self, node: Any) -> bool:
        """Pass over a key that is a list or a mapping; ruamel's time for one doubles with each level."""
        if isinstance(node, ScalarNode):
            return True
        at = node.start_mark
        self.refused.append((at.line + 1, at.column + 1, "a key has to be text", Code.WRONG_TYPE))
        return False

    def _fits(self, node: Any) -> bool:
        tag = str(node.tag)
        if isinstance(node, MappingNode):
            return tag == _YAML + "map"
        if isinstance(node, SequenceNode):
            return tag == _YAML + "seq"
        return tag in _PLAIN_TAGS or not tag.startswith(_YAML)  # of others, `_resolve` knows more

    def _put_aside(self, node: Any) -> Any:
        kind, tag = self._kind(node), str(node.tag).replace(_YAML, "!!")
        what = f"tag {tag} has no place before {kind}: leave it out"
        if tag in ("!env", "!file"):
            what = f"{tag} has to be followed by one word, not by {kind}"
        self.refused.append((node.start_mark.line + 1, node.start_mark.column + 1, what, Code.SYNTAX))
        other = ScalarNode(ASIDE, "", node.start_mark, node.end_mark)
        self._kept.append(other)
        self._sizes[id(other)] = 1
        return other

    def _kind(self, node: Any) -> str:
        if isinstance(node, ScalarNode):
            return "a value"
        return "a mapping" if isinstance(node, MappingNode) else "a list"


# By what ruamel says, what somebody who does not know YAML's grammar may look for; no value is quoted.
_HINTS = (
    ("'\\t'", "this is a tab; indent with blanks"),
    ("expected ',' or '}'", "a comma is missing before this, or the '}}' of line {}"),
    ("expected ',' or ']'", "a comma is missing before this, or the ']' of line {}"),
    (
        "mapping values are not allowed",
        "indent this as its neighbours; a text with ': ' wants quotes, a colon above wants a blank behind it",
    ),
    ("could not find expected ':'", "a key wants a colon, and a blank behind it"),
    (
        "but found '<scalar>'",
        "a text before this has no closing quote, or indent this as the block that begins in line {}",
    ),
    ("expected <block end>", "indent this as the other lines of the block that begins in line {}"),
    ("found unexpected end of stream", "the quotes that begin in line {} have no end"),
)
_WHERE_IT_BEGINS = ("quotes that begin", "find expected ':'")
"""What is found at the end of the file, or in a later line."""


def _problem(name: str, text: str, error: YAMLError) -> Problem:
    line, column, what = 1, 1, "is not YAML"
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        if mark is not None:
            line, column = mark.line + 1, mark.column + 1
        what = (error.problem or error.context or what).partition(" with value")[0]
        begun = error.context_mark.line + 1 if error.context_mark is not None else line
        what += next((f": {hint.format(begun)}" for words, hint in _HINTS if words in what), "")
        if any(words in what for words in _WHERE_IT_BEGINS) and error.context_mark is not None:
            line, column = begun, error.context_mark.column + 1
    elif isinstance(error, ReaderError):
        what = "holds a character that is not allowed in YAML, such as a control character"
        if isinstance(error.position, int):
            before = text[: error.position].split("\n")
            line, column = len(before), len(before[-1]) + 1
    return Problem(name, line, column, what, Code.SYNTAX)
