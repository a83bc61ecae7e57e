"""The steps that Redis takes, each an atomic script; the texts are in the folder `lua`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import Any

import redis.exceptions
from amqp.exceptions import RecoverableConnectionError
from attrs import define, frozen
from redis.exceptions import NoScriptError

from pacer_redis.failures import as_lost, lost_lease
from pacer_redis.options import Require

STALE = b"STALE"
"""Answered where what is declared has changed since the caller looked: look, and try again."""
_LOST = b"LOST"
_WITH_CLAIM = ("lease", "get")


@frozen
class Script:
    """A script and the name by which Redis keeps it."""

    text: str
    digest: str


@cache
def script(name: str) -> Script:
    """Give a script by the name of its file, with what it shares with others."""
    folder = files("pacer_redis") / "lua"
    parts = ["prelude", *(["claim"] if name in _WITH_CLAIM else []), name]
    text = "\n".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in parts)
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


@define
class Scripts:
    """Runs scripts on one broker's keys, until Redis does not answer: then it is done, as a connection is."""

    client: Any
    key: str
    broker: str
    require: Require
    lost: bool = False
    """Whether Redis has not answered; everything fails from then on, and at once."""

    def run(self, name: str, *arguments: Any, confirm: bool = False) -> Any:
        """Run a script; with `confirm`, its writes have to reach as many replicas as are demanded.

        Raises
        ------
        amqp.exceptions.RecoverableConnectionError
            Where Redis is away, cannot, or has given away what the owner held.
        """
        if self.lost:
            raise RecoverableConnectionError(f"{self.broker}: the connection is lost")
        with as_lost(self.broker), self._noticing():
            waits = confirm and self.require.replicas > 0
            answer = self._confirmed(name, arguments) if waits else self._run(name, arguments)
        if answer == _LOST:
            raise lost_lease(self.broker)
        return answer

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        try:
            yield
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError):
            self.lost = True
            raise

    def _run(self, name: str, arguments: tuple[Any, ...]) -> Any:
        it = script(name)
        try:
            return self.client.execute_command("EVALSHA", it.digest, 1, self.key, *arguments)
        except NoScriptError:  # a new server, or SCRIPT FLUSH: nothing has been done yet
            return self.client.execute_command("EVAL", it.text, 1, self.key, *arguments)

    def _confirmed(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """Run it and wait on the same connection, as WAIT is about what that has written."""
        it, milliseconds = script(name), int(self.require.wait.total_seconds() * 1000)
        while True:
            with self.client.pipeline(transaction=False) as pipeline:
                pipeline.execute_command("EVALSHA", it.digest, 1, self.key, *arguments)
                pipeline.execute_command("WAIT", self.require.replicas, milliseconds)
                answer, replicas = pipeline.execute(raise_on_error=False)
            if not isinstance(answer, NoScriptError):
                break
            self.client.script_load(it.text)
        for one in (answer, replicas):
            if isinstance(one, Exception):
                raise one
        if replicas < self.require.replicas:
            raise RecoverableConnectionError(
                f"{self.broker}: {replicas} of {self.require.replicas} replicas have confirmed what was "
                "written; see that they run, or demand fewer with 'require: {replicas: ...}'"
            )
        return answer
