"""A tree into YAML."""

from __future__ import annotations

from collections.abc import Iterator

from pacer_migrate.tree import Branch, Entry, Node, Scalar, comments

WIDTH = 110
"""Characters of a line, above which what stands in brackets gets lines of its own."""


def write(tree: Branch) -> str:
    """Give a tree as YAML, two blanks for each level."""
    return "\n".join(_branch(tree, 0)) + "\n"


def _branch(tree: Branch, indent: int) -> Iterator[str]:
    for entry in tree.entries:
        yield from _comments(entry.above, indent)
        yield from _entry(entry, indent, is_list=tree.is_list)
    yield from _comments(tree.tail, indent)


def _comments(lines: list[str], indent: int) -> Iterator[str]:
    for line in lines:
        shown = "".join(one if one.isprintable() or one == "\t" else "?" for one in line)
        yield " " * indent + shown if shown else ""


def _entry(entry: Entry, indent: int, *, is_list: bool) -> Iterator[str]:
    head = " " * indent + ("-" if is_list else f"{entry.key}:")
    beside = f"  {entry.beside}" if entry.beside else ""
    value = entry.value
    if isinstance(value, Scalar) or not value.entries:
        yield f"{head} {_in_brackets(value)}{beside}"
        if isinstance(value, Branch):
            yield from _comments(value.tail, indent + 2)
        return
    short = _in_brackets(value)
    if value.flow and not any(comments(one) for one in value.entries) and len(head) + len(short) < WIDTH:
        yield f"{head} {short}{beside}"
        yield from _comments(value.tail, indent + 2)
        return
    below = list(_branch(value, indent + 2))
    if is_list and not beside and not value.is_list and not value.entries[0].above:
        yield f"{head} {below[0].lstrip()}"
        yield from below[1:]
        return
    yield f"{head}{beside}"
    yield from below


def _in_brackets(tree: Node) -> str:
    if isinstance(tree, Scalar):
        return tree.text
    if tree.is_list:
        return f"[{', '.join(_in_brackets(one.value) for one in tree.entries)}]"
    return "{" + ", ".join(f"{one.key}: {_in_brackets(one.value)}" for one in tree.entries) + "}"
