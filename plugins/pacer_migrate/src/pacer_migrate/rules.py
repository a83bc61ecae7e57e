"""What becomes of the keys of a mapping, key by key; whatever that is, comments stay where they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import define, field

from pacer_core import Note, Secret, UnknownConsumer
from pacer_migrate.tree import Branch, Entry, Node, Scalar, comments, plain, secret

Rule = Callable[[Entry], "list[Entry] | str"]
"""Gives what stands there instead, or why nothing does; `Silent` where only the report says so."""


class Silent(str):
    """Why something is left out, of which the text needs no comment."""


@define
class Work:
    """What a migration says beside its text."""

    notes: list[Note] = field(factory=list)
    secrets: dict[str, Secret] = field(factory=dict)
    unknown: list[UnknownConsumer] = field(factory=list)

    def changed(self, line: int, text: str) -> None:
        """Note what is said in other words now."""
        self.notes.append(Note(line, text))

    def left_out(self, line: int, text: str) -> None:
        """Note what has no counterpart, or needs none."""
        self.notes.append(Note(line, text, "left-out"))

    def to_do(self, line: int, text: str) -> None:
        """Note what is left to a person."""
        self.notes.append(Note(line, text, "to-do"))

    def secret(self, name: str, value: object) -> Scalar:
        """Take a secret; give what stands in the text for it."""
        text, unique, number = str(value), name, 2
        while unique in self.secrets and self.secrets[unique].reveal() != text:
            unique, number = f"{name}-{number}", number + 1
        self.secrets[unique] = Secret(text)
        return secret(unique)


def reshaped(branch: Branch, rules: Mapping[str, Rule], work: Work, what: str) -> Branch:
    """Give a mapping with each of its keys as its rule has it. A key without a rule is named and left out."""
    made = Branch(flow=branch.flow)
    waiting: list[str] = []
    for entry in branch.entries:
        line, key = entry.line, entry.key
        rule = rules.get(key)
        result = "is no key of ICAT-PACER's" if rule is None else rule(entry) if _says(entry) else "is empty"
        if isinstance(result, str):
            waiting += comments(entry) if isinstance(result, Silent) else gone(entry, result)
            work.left_out(line, f"{what}{key}: {result}")
            continue
        if not result:
            waiting += comments(entry)
            continue
        result[0].above = [*waiting, *result[0].above]
        waiting = []
        made.entries += result
        if key not in (renamed := [one.key for one in result]):
            work.changed(line, f"{what}{key} is {', '.join(renamed)} now")
    made.tail = [*waiting, *branch.tail]
    return made


def _says(entry: Entry) -> bool:
    return not isinstance(entry.value, Scalar) or entry.value.value is not None


def gone(entry: Entry, why: str, name: str | None = None) -> list[str]:
    """Give the comments that stand in the place of an entry: why it is not there, and those it had."""
    others = comments(entry)[len(entry.above) :]
    return [*entry.above, f"# left out: {name or entry.key}: {why}", *others]


def name_of(item: Entry) -> object:
    """Give the name of an item of a list, where it has one."""
    data = plain(item.value)
    return data.get("name") if isinstance(data, dict) else None


def keep(entry: Entry) -> list[Entry]:
    """Leave a key as it is."""
    return [entry]


def named(name: str) -> Rule:
    """Give a key another name."""

    def rule(entry: Entry) -> list[Entry]:
        entry.key = name
        return [entry]

    return rule


def silently(why: str) -> Rule:
    """Leave a key out, without a comment in its place."""
    return lambda _: Silent(why)


def left_out(why: str) -> Rule:
    """Leave a key out."""
    return lambda _: why


def hidden(work: Work, name: str, key: str | None = None) -> Rule:
    """Take a secret out of the text, and give its key another name."""

    def rule(entry: Entry) -> list[Entry]:
        if isinstance(entry.value, Branch):
            return [entry]
        entry.value = work.secret(name, entry.value.said)
        entry.key = key or entry.key
        return [entry]

    return rule


def within(rules: Mapping[str, Rule], work: Work, what: str) -> Rule:
    """Give the keys below a key in its place: it has no counterpart, they have."""

    def rule(entry: Entry) -> list[Entry] | str:
        if not isinstance(entry.value, Branch) or entry.value.is_list:
            work.to_do(entry.line, f"{what}{entry.key} should be a mapping")
            return "is no mapping"
        inside = reshaped(entry.value, rules, work, f"{what}{entry.key}.")
        if not inside.entries:
            return "holds nothing that is known"
        about = [*entry.above, *([entry.beside] if entry.beside else [])]
        inside.entries[0].above = [*about, *inside.entries[0].above]
        inside.entries[-1].above += inside.tail
        return inside.entries

    return rule


def below(rules: Mapping[str, Rule], work: Work, what: str) -> Rule:
    """Leave a key as it is, with the keys below it as their rules have them."""

    def rule(entry: Entry) -> list[Entry]:
        if isinstance(entry.value, Branch) and not entry.value.is_list:
            entry.value = reshaped(entry.value, rules, work, f"{what}{entry.key}.")
        return [entry]

    return rule


def new(key: str, value: Node, *above: str) -> Entry:
    """Give an entry that was not there, with what is said above it."""
    return Entry(key, value, above=[f"# {one}" for one in above])
