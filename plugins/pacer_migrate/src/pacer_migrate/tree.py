"""A configuration as a tree, to be taken apart and put together anew with its comments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import define, field
from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.resolver import VersionedResolver

from pacer_core import yaml_text


@define
class Scalar:
    """One value: what it means, how it is written, and how it was, without quotes."""

    value: Any
    text: str
    said: str = ""


@define
class Entry:
    """One key with its value, or one item of a list, whose key is empty; with the comments about it.

    ``line`` is where it stood, counted from 1. ``above`` are the comments on lines of their own before it,
    and ``""`` for an empty line; ``beside`` is the one on its own line.
    """

    key: str
    value: Node
    line: int = 0
    above: list[str] = field(factory=list)
    beside: str = ""


@define
class Branch:
    """A mapping or a list. ``flow`` is how it is written: in brackets. ``tail`` are comments at its end."""

    entries: list[Entry] = field(factory=list)
    is_list: bool = False
    flow: bool = False
    tail: list[str] = field(factory=list)

    def get(self, key: str) -> Entry | None:
        """Give the entry of that key."""
        return next((one for one in self.entries if one.key == key), None)

    def pop(self, key: str) -> Entry | None:
        """Give the entry of that key, and leave it out."""
        found = self.get(key)
        if found is not None:
            self.entries.remove(found)
        return found


Node = Scalar | Branch


def scalar(value: Any) -> Scalar:
    """Write a value."""
    if value is None or isinstance(value, bool):
        return Scalar(value, {None: "null", True: "true", False: "false"}[value])
    if not isinstance(value, str):
        return Scalar(value, str(value))
    return Scalar(value, value if _is_plain(value) else yaml_text(value))


def secret(name: str) -> Scalar:
    """Write that a secret of that name belongs here."""
    return Scalar(None, f"!secret {name}")


def node(data: Any, *, flow: bool = False) -> Node:
    """Write plain data."""
    if isinstance(data, Scalar | Branch):
        return data
    if isinstance(data, dict):
        return Branch([Entry(key, node(value, flow=flow)) for key, value in data.items()], flow=flow)
    if isinstance(data, list):
        return Branch([Entry("", node(one, flow=True)) for one in data], is_list=True, flow=True)
    return scalar(data)


def plain(tree: Node | None) -> Any:
    """Give what a tree means, as plain data."""
    if not isinstance(tree, Branch):
        return None if tree is None else tree.value
    if tree.is_list:
        return [plain(one.value) for one in tree.entries]
    return {one.key: plain(one.value) for one in tree.entries}


def comments(entry: Entry) -> list[str]:
    """Give every comment of an entry, and inside it, in their order."""
    return [*entry.above, *([entry.beside] if entry.beside else []), *_inside(entry.value)]


def _inside(tree: Node) -> Iterator[str]:
    if isinstance(tree, Branch):
        for one in tree.entries:
            yield from comments(one)
        yield from tree.tail


_NEW = YAML(typ="safe", pure=True).resolver
_STR = "tag:yaml.org,2002:str"


def _is_plain(text: str) -> bool:
    """Tell whether a text needs no quotes, in brackets or not: YAML 1.2 has to read it as the text it is."""
    fine = text.isprintable() and text == text.strip() and not any(one in text for one in "#,[]{}\"'&*!|>%@`")
    if not fine or not text or text[0] in "-?:=<~" or ": " in text or text.endswith(":"):
        return False
    return resolves_to_text(text, _NEW)


def resolves_to_text(text: str, resolver: VersionedResolver = _NEW) -> bool:
    """Tell whether a plain scalar is a text, and no number, truth, date or nothing."""
    return bool(resolver.resolve(ScalarNode, text, (True, False)) == _STR)
