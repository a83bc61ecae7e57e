"""YAML 1.1, as PyYAML reads it, into a tree: anchors and merges written out, comments kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import define, field
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from pacer_core import Foreign, Note, PacerError
from pacer_migrate.tree import Branch, Entry, Node, Scalar, comments, scalar

_YAML = "tag:yaml.org,2002:"
_MERGE = _YAML + "merge"
_MOST = 100_000
"""So many values, those that aliases repeat among them, are more than any configuration has."""


def read(foreign: Foreign) -> tuple[Branch, list[Note]]:
    """Give a file as a tree, and what of its YAML is written in other words.

    Raises
    ------
    PacerError
        Where it is no YAML, or no mapping, with line and column.
    """
    root = compose(foreign.file, foreign.text)
    reader = _Reader(foreign)
    tree = reader.node(root, 1)
    if not isinstance(tree, Branch) or tree.is_list:
        raise PacerError(f"{foreign.file}:1:1: is no mapping of keys to values")
    _with_comments(tree, reader, foreign.text)
    _once(tree, reader.notes)
    return tree, reader.notes


def compose(file: Path, text: str) -> Any:
    """Give the nodes of a file.

    Raises
    ------
    PacerError
        Where it is no YAML, with line and column.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 1)
    try:
        root = yaml.compose(text)
    except (YAMLError, RecursionError) as error:
        mark = (error.problem_mark or error.context_mark) if isinstance(error, MarkedYAMLError) else None
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        what = (error.problem if isinstance(error, MarkedYAMLError) else None) or "is not YAML"
        raise PacerError(f"{file}{where}: {what}; mend it, and try again") from None
    if root is None:
        raise PacerError(f"{file}: is empty")
    return root


@define
class _Reader:
    foreign: Foreign
    notes: list[Note] = field(factory=list)
    spans: list[tuple[int, int]] = field(factory=list)
    """Of every scalar: where a # is none of a comment."""
    places: list[tuple[int, int, Entry]] = field(factory=list)
    """First and last line of every entry that can have comments, in the file's order."""
    seen: set[int] = field(factory=set)
    inside: set[int] = field(factory=set)
    size: int = 0

    def node(self, node: Any, line: int, *, flow: bool = False) -> Node:
        """Give the tree below a node; ``line`` is that of its key."""
        again = id(node) in self.seen
        self.seen.add(id(node))
        self.size += 1
        if id(node) in self.inside or self.size > _MOST:
            raise PacerError(f"{self.foreign.file}:{line}: aliases make no end of values of this")
        if again and node.anchor:
            self.notes.append(Note(line, f"*{node.anchor} is written out"))
        if isinstance(node, ScalarNode):
            return self._scalar(node, line)
        self.inside.add(id(node))
        flow = flow or bool(node.flow_style)
        branch = Branch(is_list=isinstance(node, SequenceNode), flow=flow)
        for key, value, merged in self._pairs(node, line):
            at = (value if key is None else key).start_mark
            copied = again or merged
            own = line if copied else at.line + 1
            entry = Entry("" if key is None else str(key.value), Scalar(None, ""), own)
            if key is not None:
                self.spans.append((key.start_mark.index, key.end_mark.index))
            if not flow and not copied:
                last = value.end_mark.line + 1 if isinstance(value, ScalarNode) or value.flow_style else own
                self.places.append((own, last, entry))
            entry.value = self.node(value, own, flow=flow)
            branch.entries.append(entry)
        self.inside.discard(id(node))
        return branch

    def _pairs(self, node: Any, line: int) -> Iterator[tuple[Any, Any, bool]]:
        """Give keys and values of a mapping, merged ones at its end, or the items of a list."""
        if isinstance(node, SequenceNode):
            yield from ((None, one, False) for one in node.value)
            return
        own: set[str] = set()
        merged: list[Any] = []
        for key, value in node.value:
            if key.tag == _MERGE:
                self.notes.append(Note(line, "<< is written out"))
                self.spans.append((key.start_mark.index, key.end_mark.index))
                merged += value.value if isinstance(value, SequenceNode) else [value]
            elif not isinstance(key, ScalarNode):
                self.notes.append(
                    Note(key.start_mark.line + 1, "a key that is no text is left out", "left-out")
                )
            else:
                own.add(str(key.value))
                yield key, value, False
        for one in merged:
            for key, value in one.value if isinstance(one, MappingNode) else ():
                if isinstance(key, ScalarNode) and str(key.value) not in own:
                    own.add(str(key.value))
                    yield key, value, True

    def _scalar(self, node: ScalarNode, line: int) -> Scalar:
        start, end = node.start_mark.index, node.end_mark.index
        self.spans.append((start, end))
        kind, text = str(node.tag).removeprefix(_YAML), str(node.value)
        if node.style in ("'", '"') and "\n" not in self.foreign.text[start:end] and kind == "str":
            return Scalar(text, self.foreign.text[start:end], text)
        value = _value(kind, text)
        written = scalar(value)
        written.said = text
        if kind in ("bool", "int") and written.text != text and text.lower() != written.text:
            self.notes.append(Note(line, "a value is spelled as PACER reads it"))
        return written


def _value(kind: str, text: str) -> Any:
    """Give what a plain scalar means in YAML 1.1."""
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in ("yes", "true", "on", "y")
    if kind == "int":
        bare = text.replace("_", "").lower()
        digits = bare.lstrip("+-")
        if ":" in digits:
            value = 0
            for part in digits.split(":"):
                value = value * 60 + int(part)
        else:
            base = 2 if digits.startswith("0b") else 16 if digits.startswith("0x") else 10
            base = 8 if base == 10 and len(digits) > 1 and digits[0] == "0" else base
            value = int(digits, base)
        return -value if bare.startswith("-") else value
    if kind == "float" and ":" not in text and "." in text:  # PyYAML knows no 1e3
        return float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def _once(tree: Branch, notes: list[Note]) -> None:
    """Leave the last of the keys that are there twice, as PyYAML does."""
    last: dict[str, Entry] = {}
    for entry in list(tree.entries):
        if isinstance(entry.value, Branch):
            _once(entry.value, notes)
        if not tree.is_list:
            if (first := last.get(entry.key)) is not None:
                notes.append(Note(first.line, f"{entry.key} is there twice: the last one holds"))
                entry.above = [*comments(first), *entry.above]
                tree.entries.remove(first)
            last[entry.key] = entry


def _with_comments(tree: Branch, reader: _Reader, text: str) -> None:
    """Give every comment, and every empty line, to the entry that it is about: the next one, or its own."""
    spans = sorted(reader.spans)
    places = sorted(reader.places, key=lambda place: place[0])
    index = 0
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        found = _comment(line.rstrip("\r\n"), index, spans)
        index += len(line)
        own = [entry for first, last, entry in places if first <= number <= last]
        if found is None:
            if not line.strip() and not own:
                _next(tree, places, number).append("")
        elif found[1] and own and not own[-1].beside:
            own[-1].beside = found[0]
        else:
            _next(tree, places, number).append(found[0])
    for _, _, entry in places:
        while entry.above[:1] == [""] and entry is tree.entries[0]:
            entry.above.pop(0)


def _comment(line: str, index: int, spans: list[tuple[int, int]]) -> tuple[str, bool] | None:
    """Give a line's comment, and whether something stands before it."""
    for match in re.finditer(r"(?:^|(?<=[ \t]))#", line):
        at = index + match.start()
        if not any(start <= at < end for start, end in spans):
            return line[match.start() :].rstrip(), bool(line[: match.start()].strip())
    return None


def _next(tree: Branch, places: list[tuple[int, int, Entry]], number: int) -> list[str]:
    """Give where a comment on a line of its own goes: above what follows, inside which it may be."""
    for first, last, entry in places:
        if first > number or first < number <= last:
            return entry.above
    return tree.tail
