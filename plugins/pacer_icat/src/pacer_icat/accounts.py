"""Accounts in ICAT that no message may touch: PACER's own and those of administrators, as ICAT tells."""

from __future__ import annotations

import re

from attrs import frozen

from pacer_icat.cache import Cache
from pacer_icat.collation import fold
from pacer_icat.faults import IcatFault
from pacer_icat.options import IcatOptions
from pacer_icat.spellings import user_name
from pacer_icat.wire import Wire

_GOVERN = frozenset({"user", "usergroup", "grouping", "rule", "publicstep"})
"""Who may write these may give themselves any right."""
_ENTITY = re.compile(r"(?:.*?\bFROM\s+|[\d\s,]*(?:DISTINCT\s+)?)(\w+)", re.IGNORECASE | re.DOTALL)
"""What a rule is about: a query in JPQL, or in ICAT's concise syntax."""
_ROOT = "rootUserNames"


@frozen
class Known:
    """What ICAT tells about the accounts that govern it; names as `fold` gives them."""

    own: str
    roots: frozenset[str] | None
    """The ``rootUserNames``; ``None`` where ICAT does not tell them to PACER's account."""
    governors: frozenset[str]
    """Who may change users, groups or rules, as far as PACER's account may read that."""


class Accounts:
    """Asks ICAT now and then which accounts govern it; the threads of a process share the answer."""

    def __init__(self, options: IcatOptions, wire: Wire) -> None:
        self._own = fold(user_name(options.username))
        self._wire = wire
        self._known: Cache[str, Known] = Cache(seconds=600.0)

    def why_protected(self, name: str) -> str | None:
        """Tell why an account may not be touched, in a few words that do not name it, or ``None``.

        PACER's own counts under the prefix of any authenticator: who knows which of them ICAT will ask.
        """
        whole = fold(user_name(name))
        known = self.known()
        if whole in (self._own, known.own) or bare(whole) in (bare(self._own), bare(known.own)):
            return "it is PACER's own"
        if whole in (known.roots or ()):
            return "it is one of ICAT's rootUserNames"
        if whole in known.governors:
            return "it may change users, groups or rules in ICAT"
        return None

    def known(self) -> Known:
        """Give what ICAT tells, from the last ten minutes.

        Raises
        ------
        IcatFault
            Where it fails to tell: without an answer nobody is known not to be an administrator.
        """
        return self._known.get("") or self._known.put("", self._ask())

    def _ask(self) -> Known:
        wire = self._wire
        own = wire.call("getUserName", [])
        return Known(
            fold(user_name(own[0].text or "")) if own else self._own, self._roots(), self._governors()
        )

    def _roots(self) -> frozenset[str] | None:
        try:
            told = self._wire.call("getProperties", [])
        except IcatFault as fault:
            if fault.type != "INSUFFICIENT_PRIVILEGES":
                raise
            return None
        for line in told:
            key, _, names = (line.text or "").partition(" ")
            if key == _ROOT:
                return frozenset(fold(user_name(name)) for name in names.split())
        return None

    def _governors(self) -> frozenset[str]:
        rules = self._wire.search(
            "SELECT r.what, r.crudFlags, g.id FROM Rule r JOIN r.grouping g ORDER BY g.id, r.id"
        )
        groups = {group for what, letters, group in rules if set(letters) & set("CUD") and _governs(what)}
        if not groups:
            return frozenset()
        names = self._wire.search_all(
            "SELECT DISTINCT u.name FROM UserGroup m JOIN m.user u JOIN m.grouping g "
            "WHERE g.id IN (:groups) ORDER BY u.name",
            groups=sorted(groups),
        )
        return frozenset(fold(user_name(name)) for name in names)


def bare(name: str) -> str:
    """Give the name of an account without the prefix of its authenticator."""
    return name.partition("/")[2] or name


def _governs(what: str) -> bool:
    found = _ENTITY.match(what)
    return found is not None and found[1].lower() in _GOVERN
