"""A YAML file with the place of everything in it: the only door to ruamel."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import define, field
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.constructor import ConstructorError, RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scalarbool import ScalarBoolean
from ruamel.yaml.scalarfloat import ScalarFloat
from ruamel.yaml.scalarint import ScalarInt

from pacer_core.config.problems import Code, Problem
from pacer_core.model.secrets import Secret, screen

Path_ = tuple[str | int, ...]
"""Where a value stands: keys and list indices from the top."""


@define(eq=False)
class Document:
    """A parsed file: its data as plain Python, and where each piece of it stands."""

    file: str
    data: dict[str, Any]
    problems: list[Problem] = field(factory=list)
    _tree: Any = None
    given: Mapping[str, str] | None = field(default=None, repr=False)
    """Texts that are taken instead of what is in files now."""
    sources: dict[str, str] = field(factory=dict, repr=False)
    """By path, the text of every file that was read: the YAML, and those of ``!file``."""

    def text(self, path: Path) -> str:
        """Read a file, or give the text that was read before in its place.

        Raises
        ------
        OSError, UnicodeDecodeError
            Where it cannot be read.
        """
        name = str(path)
        text = None if self.given is None else self.given.get(name)
        self.sources[name] = text = decoded(path.read_bytes()) if text is None else text
        return text

    def report(
        self, path: Path_, message: str, code: Code, *, key: bool = False, severity: str = "error"
    ) -> None:
        """Note a problem at the value (or the key) at ``path``, or at the nearest thing above it.

        What could not be read at all was reported then, and is not reported again for what it lacks.
        """
        if self._unresolved(path[:-1] if key else path):
            return
        line, column = self.position(path, key=key)
        self.problems.append(Problem(self.file, line, column, screen(message), code, severity))

    @property
    def names(self) -> dict[str, Any]:
        """The data with secrets in plain sight: names may come from the environment as well."""
        names: dict[str, Any] = _revealed(self.data)
        return names

    def _unresolved(self, path: Path_) -> bool:
        node: Any = self.data
        for step in path:
            inside = isinstance(node, dict) or (isinstance(node, list) and isinstance(step, int))
            try:
                node = node[step] if inside else None
            except (KeyError, IndexError):
                return False
            if node is UNRESOLVED:
                return True
        return False

    def position(self, path: Path_, *, key: bool = False) -> tuple[int, int]:
        """Give line and column, from 1, of the value or the key at ``path``."""
        node, place = self._tree, (0, 0)
        for step in path:
            if not isinstance(node, CommentedMap | CommentedSeq) or not _holds(node, step):
                break
            if isinstance(node, CommentedMap):
                if step not in (node.lc.data or ()):  # merged from elsewhere, as all of its keys may be
                    break
                place = node.lc.key(step) if key and step == path[-1] else node.lc.value(step)
            else:
                place = node.lc.item(step)
            node = node[step]
        return place[0] + 1, place[1] + 1


def read(file: Path, sources: Mapping[str, str] | None = None) -> Document:
    """Read a YAML file; whatever is wrong with it is in the document's ``problems``.

    ``!env NAME`` becomes the value of an environment variable and ``!file PATH`` the content of a file
    (relative to the YAML file), both as a `Secret`, without byte order mark and line end. With ``sources``,
    those of another document, files that were read for that one are not read again.
    """
    name = str(file)
    document = Document(name, {}, given=sources)
    try:
        text = document.text(file)
    except OSError as error:
        why = error.strerror or type(error).__name__
        if isinstance(error, FileNotFoundError):
            why += "; name another file with --config, or in PACER_CONFIG"
        return Document(name, {}, [Problem(name, 1, 1, f"cannot be read: {why}", Code.UNREADABLE_FILE)])
    except UnicodeDecodeError as error:
        line, column = _place(error.object, error.start)
        byte = error.object[error.start]
        what = f"is not UTF-8 text: byte 0x{byte:02x} here; save the file as UTF-8"
        return Document(name, {}, [Problem(name, line, column, what, Code.SYNTAX)])
    yaml = YAML(typ="rt")
    yaml.Constructor = _Constructor
    try:
        tree = yaml.load(text)
    except YAMLError as error:
        _note(document, text, error)
        return document
    except RecursionError:
        document.problems.append(Problem(name, 1, 1, "is nested too deeply", Code.SYNTAX))
        return document
    for key, line, column in yaml.constructor.repeated:
        document.problems.append(
            Problem(name, line, column, f"found duplicate key {key!r}", Code.DUPLICATE_KEY)
        )
    document.problems += [Problem(name, *place) for place in yaml.constructor.refused]
    document._tree = tree
    if tree is None or tree == {}:
        document.problems.append(Problem(name, 1, 1, "is empty", Code.MISSING))
    elif isinstance(tree, CommentedMap):
        document.data = _plain(document, tree, (), file.parent)
    else:
        document.problems.append(Problem(name, 1, 1, "is no mapping of keys to values", Code.WRONG_TYPE))
    return document


_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def decoded(raw: bytes) -> str:
    """Give the text of a file; a byte order mark, as editors of Windows write it, says how it is encoded."""
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), "utf-8")
    return raw.decode(encoding)


def _place(raw: bytes, at: int) -> tuple[int, int]:
    before = raw[:at].split(b"\n")
    return len(before), len(before[-1].decode("utf-8", "replace")) + 1


_YAML = "tag:yaml.org,2002:"
_PLAIN_TAGS = {_YAML + one for one in ("str", "int", "float", "bool", "null", "timestamp", "merge")}
_MOST = 100_000
"""So many values, aliases counted as often as they are used, are more than any configuration has."""


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
            node.value = [(self._examined(key), self._examined(value)) for key, value in node.value]
            size += sum(self._sizes[id(one)] for pair in node.value for one in pair)
        elif isinstance(node, SequenceNode):
            node.value = [self._examined(one) for one in node.value]
            size += sum(self._sizes[id(one)] for one in node.value)
        if size > _MOST:
            what = f"aliases make more than {_MOST:,} values of this"
            raise ConstructorError(None, None, what, node.start_mark)
        self._sizes[id(node)] = size
        return node

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
        "indent the line as its neighbours are; a text with ': ' wants quotes",
    ),
    ("expected <block end>", "indent this as the other lines of the block that begins in line {}"),
    ("found unexpected end of stream", "the quotes that begin in line {} have no end"),
)


def _note(document: Document, text: str, error: YAMLError) -> None:
    line, column, what = 1, 1, "is not YAML"
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        if mark is not None:
            line, column = mark.line + 1, mark.column + 1
        what = (error.problem or error.context or what).partition(" with value")[0]
        begun = error.context_mark.line + 1 if error.context_mark is not None else line
        what += next((f": {hint.format(begun)}" for words, hint in _HINTS if words in what), "")
        if "quotes that begin" in what and error.context_mark is not None:
            line, column = begun, error.context_mark.column + 1  # its end is the end of the file
    elif isinstance(error, ReaderError):
        what = "holds a character that is not allowed in YAML, such as a control character"
        if isinstance(error.position, int):
            before = text[: error.position].split("\n")
            line, column = len(before), len(before[-1]) + 1
    document.problems.append(Problem(document.file, line, column, what, Code.SYNTAX))


def _revealed(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _revealed(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_revealed(item) for item in data]
    return data.reveal() if isinstance(data, Secret) else data


def _holds(node: CommentedMap | CommentedSeq, step: str | int) -> bool:
    if isinstance(node, CommentedMap):
        return step in node
    return isinstance(step, int) and step < len(node)


def _plain(document: Document, node: Any, path: Path_, folder: Path) -> Any:
    """Give plain Python data, with the tags resolved."""
    if isinstance(node, CommentedMap):
        plain: dict[str, Any] = {}
        for key, value in node.items():
            if not isinstance(key, str):
                document.report((*path, key), "a key has to be text", Code.WRONG_TYPE, key=True)
                continue
            if not _is_text(key):
                document.report(path, f"the key {key!a} {_NO_TEXT}", Code.SYNTAX)
                continue
            plain[key] = _plain(document, value, (*path, key), folder)
        return plain
    if isinstance(node, CommentedSeq):
        return [_plain(document, item, (*path, index), folder) for index, item in enumerate(node)]
    if isinstance(node, TaggedScalar):
        return _resolve(document, node, path, folder)
    if isinstance(node, ScalarBoolean):
        return bool(node)
    if isinstance(node, int) and not isinstance(node, bool) and abs(node) > _LARGEST:
        document.report(path, "is too large a number", Code.BAD_VALUE)
        return UNRESOLVED
    if isinstance(node, ScalarInt):
        return int(node)
    if isinstance(node, ScalarFloat):
        return float(node)
    return _written_out(document, str(node), path) if isinstance(node, str) else node


def _is_text(text: str) -> bool:
    """Tell whether a text is one that files, addresses and terminals can have."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


_NO_TEXT = "holds a NUL or half a character: neither can be in a name, an address or a path"
_LARGEST = 2**63
"""No number of a configuration is larger, and Python itself does not print those of some thousand digits."""


def _resolve(document: Document, node: TaggedScalar, path: Path_, folder: Path) -> Any:
    tag, word = str(node.tag.value), str(node.value)
    if tag == "!env":
        return _from_environment(document, word, path)
    if tag == "!file":
        try:
            text = _bare(document.text(folder / word))
            if "\0" not in text:
                return Secret(text)
            document.report(path, f"file {word!r} holds a NUL, and no text", Code.UNREADABLE_FILE)
        except (OSError, ValueError) as error:
            unread = "is not UTF-8 text" if isinstance(error, UnicodeError) else "is no path"
            why = getattr(error, "strerror", None) or unread
            document.report(path, f"file {word!r} cannot be read: {why}", Code.UNREADABLE_FILE)
    elif tag == _YAML + "str" and _is_text(word):
        return word
    elif tag == _YAML + "str":
        document.report(path, _NO_TEXT, Code.BAD_VALUE)
    elif tag != ASIDE:
        document.report(path, f"unknown tag {tag}; there are !env and !file", Code.SYNTAX)
    return UNRESOLVED


def _from_environment(document: Document, word: str, path: Path_) -> Any:
    value = os.environ.get(word)
    if value is None:
        document.report(path, f"environment variable {word!r} is not set", Code.UNSET_VARIABLE)
        return UNRESOLVED
    try:
        value.encode()
    except UnicodeEncodeError:  # bytes that are no text are half characters in os.environ
        document.report(path, f"environment variable {word!r} is not UTF-8 text", Code.UNSET_VARIABLE)
        return UNRESOLVED
    return Secret(_bare(value))


def _bare(text: str) -> str:
    """Give a value without what editors put around it: a byte order mark, and line ends behind it."""
    return text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}").rstrip("\r\n")


_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?[-?+][^{}]*)?\}|([A-Z_][A-Z0-9_]*))")


def _written_out(document: Document, text: str, path: Path_) -> Any:
    """Give a text of the file; one that other programs would fill in from the environment is reported."""
    if not _is_text(text):
        document.report(path, _NO_TEXT, Code.BAD_VALUE)
        return UNRESOLVED
    if whole := _VARIABLE.fullmatch(text):
        name = whole[1] or whole[2]
        document.report(
            path,
            f"variables are not filled in: write !env {name} (or !!str, for this very text)",
            Code.BAD_VALUE,
        )
        return UNRESOLVED
    if any(found[1] for found in _VARIABLE.finditer(text)):
        what = "'${...}' in a text is not filled in: put the whole of it into a variable, and write !env NAME"
        document.report(path, what, Code.BAD_VALUE, severity="warning")
    return text


class _Unresolved:
    """Stands for a value that was reported already, so that nothing is reported twice."""

    def __repr__(self) -> str:
        return "<unresolved>"


UNRESOLVED = _Unresolved()
ASIDE = "!put-aside"
"""The tag of what was put aside, and reported, before it became data."""
