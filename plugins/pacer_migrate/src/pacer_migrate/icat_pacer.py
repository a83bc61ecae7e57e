"""A configuration of ICAT-PACER, of either generation of its keys, into one of PACER's."""

from __future__ import annotations

from pacer_core import Foreign, Migrated, PacerError
from pacer_migrate.consumers import Consumers
from pacer_migrate.integrations import integrations, logging
from pacer_migrate.old import Old
from pacer_migrate.read import read
from pacer_migrate.rules import Rule, Work, left_out, reshaped
from pacer_migrate.settings import Settings, left
from pacer_migrate.topology import brokers, exchanges, queues
from pacer_migrate.tree import Branch, Entry, plain
from pacer_migrate.write import write


def recognises(foreign: Foreign) -> bool:
    """Tell by what no other program has: classes of consumers, or the settings of ingestion."""
    try:
        tree, _ = read(foreign)
    except PacerError:
        return "className:" in foreign.text and "module:" in foreign.text
    data = plain(tree)
    consumers = data.get("consumers")
    named = isinstance(consumers, list) and any(
        isinstance(one, dict) and "className" in one for one in consumers
    )
    return named or "ingestionSettings" in data


def migrate(foreign: Foreign) -> Migrated:
    """Give the same as a configuration of ours.

    Raises
    ------
    PacerError
        Where the file is no YAML, with line and column.
    """
    tree, notes = read(foreign)
    old, work = Old(plain(tree)), Work(notes)
    found = tree.get("ingestionSettings")
    settings = Settings(found.value if found is not None and isinstance(found.value, Branch) else Branch())
    rules: dict[str, Rule] = {
        "multiprocessStartMethod": left_out("processes are spawned"),
        "customSerializers": left_out("XML is read without"),
        "logging": logging(old, work),
        "exchanges": exchanges(old, work),
        "queues": queues(old, work),
        "brokers": brokers(old, work),
        "consumers": Consumers(old, settings, work).section,
        "integrations": integrations(old, settings, work),
        "ingestionSettings": lambda entry: [entry],  # its place is needed until all others have taken theirs
    }
    made = reshaped(tree, rules, work, "")
    _without_settings(made, settings, work)
    return Migrated(write(made), tuple(sorted(work.notes)), work.secrets, tuple(work.unknown))


def _without_settings(made: Branch, settings: Settings, work: Work) -> None:
    """Leave out ``ingestionSettings``; comments about what nobody has taken stay in its place."""
    entry = made.pop("ingestionSettings") if (at := _index(made)) >= 0 else None
    if entry is None:
        return
    told = [*entry.above, *([entry.beside] if entry.beside else []), *left(settings, work)]
    if at < len(made.entries):
        following: Entry = made.entries[at]
        following.above = [*told, *following.above]
    else:
        made.tail = [*told, *made.tail]


def _index(made: Branch) -> int:
    return next((at for at, one in enumerate(made.entries) if one.key == "ingestionSettings"), -1)
