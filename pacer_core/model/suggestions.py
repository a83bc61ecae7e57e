"""What may have been meant by a name that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_OTHER_WORDS = {
    "virtualhost": "vHost",
    "server": "host", "hostname": "host", "address": "host", "endpoint": "url", "uri": "url",
    "user": "username", "login": "username", "account": "username",
    "pass": "password", "passwd": "password", "secret": "password", "pwd": "password",
    "ssl": "tls", "cafile": "caFile", "cacert": "caFile", "file": "path", "filename": "path",
    "topic": "routingKey", "bindingkey": "routingKey", "classname": "type", "kind": "type",
    "processes": "workers", "threads": "concurrency", "prefetchcount": "prefetch", "timeout": "taskTimeout",
    "level": "logLevel", "loglevel": "logLevel", "maxretries": "limit", "maxattempts": "limit",
    "skip": "leaveOut", "omit": "leaveOut", "without": "leaveOut", "id": "name",
}  # fmt: skip
"""What other programs call it, or people do, written as `_bare` gives it."""


def _bare(word: str) -> str:
    return "".join(character for character in word.casefold() if character.isalnum())


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Give the name that was meant: the same in another case or spelling, by another word, or nearly so."""
    bare = {_bare(one): one for one in known if _bare(one)}
    wanted = _bare(word)
    if wanted in bare:
        return bare[wanted]
    if _OTHER_WORDS.get(wanted) in bare.values():
        return _OTHER_WORDS[wanted]
    if close := get_close_matches(wanted, bare, n=1, cutoff=0.66):
        return bare[close[0]]
    within = [
        one for one in bare if len(wanted) >= _LONG and len(one) >= _LONG and (wanted in one or one in wanted)
    ]
    return bare[within[0]] if len(within) == 1 else None


_LONG = 5
"""From so many letters on, a name that is a part of another one says something."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Give `` (did you mean 'x'?)`` where a known word is close, else nothing."""
    close = nearest(word, known)
    return f" (did you mean {close!r}?)" if close else ""


def hint(word: str, known: Iterable[str]) -> str:
    """Give what was meant, or where nothing is close, what there is."""
    names = list(known)
    return did_you_mean(word, names) or f" (there are: {', '.join(names) or 'none'})"
