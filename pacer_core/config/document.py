"""A configuration file as plain data, with the place of everything in it."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import define, field
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from pacer_core.config.problems import Code, Problem
from pacer_core.model.secrets import Secret, screen

Path_ = tuple[str | int, ...]
"""Where a value stands: keys and list indices from the top."""


class _Unresolved:
    """Stands for a value that was reported already, so that nothing is reported twice."""

    def __repr__(self) -> str:
        return "<unresolved>"


UNRESOLVED = _Unresolved()


@define(eq=False)
class Document:
    """A parsed file: its data as plain Python, and where each piece of it stands."""

    file: str
    data: dict[str, Any]
    problems: list[Problem] = field(factory=list)
    tree: Any = field(default=None, repr=False)
    """What the YAML was read into, with its places."""
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
        node, place = self.tree, (0, 0)
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


_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def decoded(raw: bytes) -> str:
    """Give the text of a file; a byte order mark, as editors of Windows write it, says how it is encoded."""
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), "utf-8")
    return raw.decode(encoding)


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
