"""A crash before and after every call of a client: what is left behind has to be the same."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any


class Crash(BaseException):
    """What `crash_everywhere` ends a piece of work with, as a kill would."""


def crash_everywhere(
    make: Callable[[], Any], work: Callable[[Any], object], state: Callable[[Any], object]
) -> int:
    """Do a piece of work with a crash before and after each call of a client, and then once more.

    Each time it begins with a new client; what is there in the end has to be what one undisturbed run
    leaves behind. That is what a task is promised to survive: a process may be killed at any moment, and the
    message comes again.

    Parameters
    ----------
    make
        Gives a client on an end of its own, in which nothing has happened yet.
    work
        Does the work with a client: `deliver` or `run_task` with it as an integration, for instance. It gets
        a stand-in for the client, whose methods, and those of its attributes, crash in turn.
    state
        Gives what there is at a client's end, as something that can be compared.

    Returns
    -------
    int
        How many crashes were tried.

    Raises
    ------
    AssertionError
        Where the work calls nothing, or a crash leaves something else behind: which call it was at.
    """
    calls: list[str] = []
    whole = make()
    work(_Crashing(whole, calls, None))
    _hold(bool(calls), "the work calls no method of the client: there is nothing to crash at")
    wanted, names = state(whole), tuple(calls)
    for number, name in enumerate(names):
        for when in ("before", "after"):
            client = make()
            with suppress(Crash):
                work(_Crashing(client, [], (number, when)))
            work(client)
            left = state(client)
            said = f"a crash {when} call {number + 1}, {name}(), and the work once more leave {left!r} behind"
            _hold(left == wanted, f"{said}, not {wanted!r}")
    return 2 * len(names)


class _Crashing:
    """Stands for a client, counts the calls, and crashes at one of them."""

    def __init__(self, client: Any, calls: list[str], at: tuple[int, str] | None, name: str = "") -> None:
        self._client, self._calls, self._at, self._name = client, calls, at, name

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        whole = f"{self._name}.{name}" if self._name else name
        if callable(found):
            return partial(self._call, found, whole)
        plain = found is None or isinstance(found, str | bytes | int | float | tuple | list | dict | set)
        return found if plain else _Crashing(found, self._calls, self._at, whole)

    def _call(self, method: Callable[..., Any], name: str, *arguments: Any, **keywords: Any) -> Any:
        number = len(self._calls)
        self._calls.append(name)
        if self._at == (number, "before"):
            raise Crash
        given = method(*arguments, **keywords)
        if self._at == (number, "after"):
            raise Crash
        return given


def _hold(true: bool, otherwise: str) -> None:
    if not true:
        raise AssertionError(otherwise)
