"""A YAML file with the place of everything in it: the only door to ruamel."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import define, field
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean
from ruamel.yaml.scalarfloat import ScalarFloat
from ruamel.yaml.scalarint import ScalarInt

from pacer_core.config.problems import Code, Problem
from pacer_core.logs import Secret, redact

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
        self.sources[name] = text = path.read_text(encoding="utf-8") if text is None else text
        return text

    def report(
        self, path: Path_, message: str, code: Code, *, key: bool = False, severity: str = "error"
    ) -> None:
        """Note a problem at the value (or the key) at ``path``, or at the nearest thing above it."""
        line, column = self.position(path, key=key)
        self.problems.append(Problem(self.file, line, column, redact(message), code, severity))

    @property
    def names(self) -> dict[str, Any]:
        """The data with secrets in plain sight: names may come from the environment as well."""
        names: dict[str, Any] = _revealed(self.data)
        return names

    def position(self, path: Path_, *, key: bool = False) -> tuple[int, int]:
        """Give line and column, from 1, of the value or the key at ``path``."""
        node, place = self._tree, (0, 0)
        for step in path:
            if not isinstance(node, CommentedMap | CommentedSeq) or not _holds(node, step):
                break
            if isinstance(node, CommentedMap):
                if step not in node.lc.data:  # merged from elsewhere
                    break
                place = node.lc.key(step) if key and step == path[-1] else node.lc.value(step)
            else:
                place = node.lc.item(step)
            node = node[step]
        return place[0] + 1, place[1] + 1


def read(file: Path, sources: Mapping[str, str] | None = None) -> Document:
    """Read a YAML file; whatever is wrong with it is in the document's ``problems``.

    ``!env NAME`` becomes the value of an environment variable and ``!file PATH`` the content of a file
    (relative to the YAML file, without the line end), both as a `Secret`. With ``sources``, those of another
    document, files that were read for that one are not read again.
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
    except UnicodeDecodeError:
        return Document(name, {}, [Problem(name, 1, 1, "is not UTF-8 text", Code.SYNTAX)])
    yaml = YAML(typ="rt")
    yaml.Constructor = _Constructor
    try:
        tree = yaml.load(text)
    except YAMLError as error:
        _note(document, error)
        return document
    except RecursionError:
        document.problems.append(Problem(name, 1, 1, "is nested too deeply", Code.SYNTAX))
        return document
    for key, line, column in yaml.constructor.repeated:
        document.problems.append(
            Problem(name, line, column, f"found duplicate key {key!r}", Code.DUPLICATE_KEY)
        )
    document._tree = tree
    if tree is None or tree == {}:
        document.problems.append(Problem(name, 1, 1, "is empty", Code.MISSING))
    elif isinstance(tree, CommentedMap):
        document.data = _plain(document, tree, (), file.parent)
    else:
        document.problems.append(Problem(name, 1, 1, "is no mapping of keys to values", Code.WRONG_TYPE))
    return document


class _Constructor(RoundTripConstructor):
    """Notes every key that is there twice, where ruamel's own stops at the first; the first value stays."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.repeated: list[tuple[str, int, int]] = []

    def check_mapping_key(self, node: Any, key_node: Any, mapping: Any, key: Any, value: Any) -> bool:
        if key not in mapping:
            return True
        self.repeated.append((str(key), key_node.start_mark.line + 1, key_node.start_mark.column + 1))
        return False


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


def _note(document: Document, error: YAMLError) -> None:
    line, column, what = 1, 1, "is not YAML"
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        if mark is not None:
            line, column = mark.line + 1, mark.column + 1
        what = (error.problem or error.context or what).partition(" with value")[0]
        begun = error.context_mark.line + 1 if error.context_mark is not None else line
        what += next((f": {hint.format(begun)}" for words, hint in _HINTS if words in what), "")
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
            plain[key] = _plain(document, value, (*path, key), folder)
        return plain
    if isinstance(node, CommentedSeq):
        return [_plain(document, item, (*path, index), folder) for index, item in enumerate(node)]
    if isinstance(node, TaggedScalar):
        return _resolve(document, node, path, folder)
    if isinstance(node, ScalarBoolean):
        return bool(node)
    if isinstance(node, ScalarInt):
        return int(node)
    if isinstance(node, ScalarFloat):
        return float(node)
    return str(node) if isinstance(node, str) else node


def _resolve(document: Document, node: TaggedScalar, path: Path_, folder: Path) -> Any:
    tag, word = str(node.tag.value), str(node.value)
    if tag == "!env":
        if word in os.environ:
            return Secret(os.environ[word])
        document.report(path, f"environment variable {word!r} is not set", Code.UNSET_VARIABLE)
    elif tag == "!file":
        try:
            return Secret(document.text(folder / word).rstrip("\r\n"))
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "is not UTF-8 text"
            document.report(path, f"file {word!r} cannot be read: {why}", Code.UNREADABLE_FILE)
    elif tag == "tag:yaml.org,2002:str":
        return word
    else:
        document.report(path, f"unknown tag {tag}; there are !env and !file", Code.SYNTAX)
    return UNRESOLVED


class _Unresolved:
    """Stands for a value that was reported already, so that nothing is reported twice."""

    def __repr__(self) -> str:
        return "<unresolved>"


UNRESOLVED = _Unresolved()
