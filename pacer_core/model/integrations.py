"""What plugins register of the world outside: systems that their tasks use, and places for the log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, Literal, TypeVar

from attrs import frozen

C = TypeVar("C")


def _never(_: BaseException) -> bool:
    return False


@frozen(eq=False)
class IntegrationType(Generic[C]):
    """An outside system that a plugin opens from YAML options; ``ctx[INTEGRATION]`` gives the client.

    Attributes
    ----------
    name
        What YAML calls it, under ``integrations:`` and in a consumer's ``integrations``.
    options
        The attrs class of its YAML options.
    open
        A context manager that yields the client: entered when a worker starts, left when it stops. With
        ``per="process"`` it is called as ``open(options)``; with ``per="thread"`` once in each thread, as
        ``open(options, shared)``.
    per
        ``"process"`` where all threads may share the client (a pool), ``"thread"`` where they may not (suds).
    share
        For ``per="thread"``: ``share(options)`` is entered once per process and yields what the threads'
        ``open`` is handed as ``shared``; without it they get ``None``.
    check
        A harmless call that fails when the system is away or refuses us.
    examine
        For ``pacer doctor``, after ``check``: looks, as ``examine(client, uses)``, whether the system holds
        what its options and the consumers that use it name, and allows what they do. Changes nothing.
    is_away
        Tells "the system is away" (the message waits) from "this message is bad".
    """

    name: str
    options: type
    open: Callable[..., AbstractContextManager[C]]
    per: Literal["process", "thread"] = "process"
    share: Callable[[Any], AbstractContextManager[Any]] | None = None
    check: Callable[[C], None] | None = None
    examine: Callable[[C, Sequence[Use]], Iterable[Seen]] | None = None
    is_away: Callable[[BaseException], bool] = _never


@frozen
class Use:
    """A consumer that an integration is for; what `IntegrationType.examine` is told of it."""

    consumer: str
    type: str
    options: Any


@frozen
class Seen:
    """One thing that `IntegrationType.examine` has seen: with ``advice`` it is wrong, without it is well."""

    detail: str
    advice: str = ""


@frozen(eq=False)
class LogHandlerType:
    """Another place for records of the log, beside the console and a file.

    Attributes
    ----------
    name
        What YAML calls it, under ``logging:``.
    options
        The attrs class of its YAML options.
    open
        Gives the handler of a process, as ``open(options)``. What its ``format(record)`` gives is one line of
        JSON in the Elastic Common Schema, without secrets. It may not block, and raises nothing.
    """

    name: str
    options: type
    open: Callable[[Any], logging.Handler]
