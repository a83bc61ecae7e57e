"""A configuration file read: YAML into plain data, with ``!env`` and ``!file`` resolved."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.scalarbool import ScalarBoolean
from ruamel.yaml.scalarfloat import ScalarFloat
from ruamel.yaml.scalarint import ScalarInt

from pacer_core.config.document import UNRESOLVED, Document, Path_
from pacer_core.config.problems import Code, Problem
from pacer_core.config.yaml_tree import ASIDE, STR, parse
from pacer_core.model.secrets import Secret


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
            why += "; name another file with --config, or in PACER_CONFIG; `pacer init` writes a first one"
        return Document(name, {}, [Problem(name, 1, 1, f"cannot be read: {why}", Code.UNREADABLE_FILE)])
    except UnicodeDecodeError as error:
        line, column = _place(error.object, error.start)
        byte = error.object[error.start]
        what = f"is not UTF-8 text: byte 0x{byte:02x} here; save the file as UTF-8"
        return Document(name, {}, [Problem(name, line, column, what, Code.SYNTAX)])
    tree, document.problems = parse(name, text)
    document.tree = tree
    if isinstance(tree, CommentedMap):
        document.data = _plain(document, tree, (), file.parent)
    elif tree is not None:
        document.problems.append(Problem(name, 1, 1, "is no mapping of keys to values", Code.WRONG_TYPE))
    return document


def _place(raw: bytes, at: int) -> tuple[int, int]:
    before = raw[:at].split(b"\n")
    return len(before), len(before[-1].decode("utf-8", "replace")) + 1


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
    elif tag == STR and _is_text(word):
        return word
    elif tag == STR:
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
