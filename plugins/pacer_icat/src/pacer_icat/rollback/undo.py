"""Taking back what was written, the last first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import define, field

from pacer_core import Retry
from pacer_icat.faults import IcatAway, IcatFault
from pacer_icat.rollback import trees
from pacer_icat.rollback.entries import Created, Deleted, Entry, Key, Unrestored, Updated, current
from pacer_icat.soap import Bean, Record, ref
from pacer_icat.wire import Wire

_IN_ONE_CALL = 500


@define
class State:
    """What a block knows of objects, through all its rollbacks."""

    wire: Wire
    mine: set[Key] = field(factory=set)
    """What the block has created, by the ids that count now."""
    now: dict[Key, int] = field(factory=dict)
    """The ids of what was deleted and created again, by the ids they had."""
    unrestored: list[Unrestored] = field(factory=list)

    def current(self, key: Key) -> Key:
        """Give the id that counts now."""
        return current(key, self.now)

    def add(self, key: Key, what: str) -> None:
        """Note something that could not be put back."""
        self.unrestored.append(Unrestored(*key, what))


def undo(state: State, entries: Sequence[Entry]) -> None:
    """Take back some writes, the last first; what cannot be is noted in the state, and nothing raised."""
    left = list(entries)
    # What goes again in the end need not come back, or be as it was, in between.
    doomed = {state.current(key) for entry in left if isinstance(entry, Created) for key in entry.keys} | {
        state.current(key) for entry in left if isinstance(entry, Created) for key in entry.children
    }
    while left:
        entry = left[-1]
        try:
            if isinstance(entry, Created):
                # Neighbours are deleted in few calls.
                place = len(left) - 1
                while place and isinstance(left[place - 1], Created):
                    place -= 1
                _uncreate(state, [one for one in left[place:] if isinstance(one, Created)])
                del left[place:]
                continue
            if isinstance(entry, Deleted):
                _undelete(state, entry, doomed)
            elif state.current((entry.entity, entry.id)) not in doomed:
                _restore(state, entry)
        except IcatAway as error:
            for one in reversed(left):
                _give_up(state, one, str(error))
            return
        except (IcatFault, Retry) as error:
            _give_up(state, entry, str(error))
        left.pop()


def _give_up(state: State, entry: Entry, why: str) -> None:
    if isinstance(entry, Created):
        for key in entry.keys:
            state.add(key, f"is still there: {why}")
        _uncertain(state, entry)
    elif isinstance(entry, Updated):
        state.add((entry.entity, entry.id), f"{_names(entry.after)} not set back: {why}")
    else:
        for key, _ in entry.roots:
            state.add(key, f"is not there again, nor what was below it: {why}")


# --- creates --------------------------------------------------------------------------------------------


def _uncertain(state: State, entry: Created) -> None:
    if entry.ids is None:
        for name in entry.entities:
            state.unrestored.append(
                Unrestored(
                    name, None, "may have been created: ICAT's answer was lost; look for it by its key"
                )
            )


def _uncreate(state: State, entries: Sequence[Created]) -> None:
    instances: dict[Key, Any] = {}
    for entry in reversed(entries):
        _uncertain(state, entry)
        instances.update(zip(map(state.current, entry.keys), entry.instances, strict=False))
    keys = list(instances)
    foreign = _foreign(state, keys)
    kept = [key for key in keys if key in foreign]
    for key in kept:
        state.add(key, f"is still there{foreign[key]}")
    gone: list[Key] = [key for key in keys if key not in foreign]
    for start in range(0, len(gone), _IN_ONE_CALL):
        for key in _delete(state, gone[start : start + _IN_ONE_CALL]):
            state.mine.discard(key)
            instances[key].id = None


def _foreign(state: State, keys: Sequence[Key]) -> dict[Key, str]:
    """Give those below which there is something that the block did not create, in words."""
    everything = trees.below(state.wire, keys)
    if everything <= state.mine:
        return {}
    found: dict[Key, str] = {}
    for key in keys:
        there = trees.below(state.wire, [key])
        others = sorted(there - state.mine)
        if others:
            mine = len((there & state.mine) - set(keys))
            along = f", and {mine} that were created below it" if mine else ""
            more = f" and {len(others) - 1} more" if len(others) > 1 else ""
            found[key] = f"{along}: this block did not create {others[0][0]} {others[0][1]}{more} below it"
    return found


def _delete(state: State, keys: Sequence[Key]) -> list[Key]:
    """Delete objects, one by one where not all can be; give those that are gone."""
    beans: list[Bean] = [ref(*key) for key in keys]
    try:
        state.wire.delete_many(beans)
    except IcatAway:
        raise
    except (IcatFault, Retry) as error:
        if len(keys) > 1:
            return [gone for key in keys for gone in _delete(state, [key])]
        if getattr(error, "type", "") != "NO_SUCH_OBJECT_FOUND":
            state.add(keys[0], f"is still there: {error}")
            return []
    return list(keys)


# --- updates --------------------------------------------------------------------------------------------


def _restore(state: State, entry: Updated) -> None:
    key = state.current((entry.entity, entry.id))
    record = state.wire.read(*key)
    if record is None:
        state.add(key, f"{_names(entry.after)} not set back: it is gone from ICAT")
        return
    back: list[str] = []
    for name, sent in entry.after.items():
        old, here = _plain(entry.before[name], state), _plain(record[name], state)
        if here == old:
            continue
        if here == _plain(sent, state):
            back.append(name)
        else:
            state.add(key, f"{name} not set back: somebody else has changed it since")
    if back:
        state.wire.update(record, **trees.referring(state.wire, entry.before, state.now, back))


def _plain(value: Any, state: State) -> Any:
    """Give a value so that what was read and what was sent compare; a reference is its id."""
    if isinstance(value, Record):
        return state.current((value.entity, value.id))[1]
    if isinstance(value, Bean):
        return state.current((value.entity, int(value.values["id"])))[1]
    return value.rstrip(" ") if isinstance(value, str) else value


# --- deletes --------------------------------------------------------------------------------------------


def _undelete(state: State, entry: Deleted, doomed: set[Key]) -> None:
    # Where the answer was lost, nothing may have been deleted.
    there = trees.records(state.wire, [state.current(key) for key in entry.records])
    gone = {key for key in entry.records if state.current(key) not in there}
    absent = {key for key in gone if state.current(key) in doomed}
    lost = {key: record for key, record in entry.records.items() if key in gone - absent}
    mine = {key for key in lost if key in state.mine}
    for one in trees.recreate(state.wire, lost, state.now, absent):
        state.unrestored.append(one)
    state.mine.update(state.current(key) for key in mine)
    back = [key for key in lost if key in state.now]
    for key, instance in entry.roots:
        if key in back:
            instance.id = state.now[key]
            below = len(back) - len(entry.roots)
            more = f", as have the {below} objects below" if below > 0 else ""
            state.add(state.current(key), f"has a new id (it was {key[1]}), createId and createTime{more}")


def _names(after: Any) -> str:
    return ", ".join(sorted(after))
