"""The token that requests carry: from a login, from the options or from a file; renewed in time."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import frozen

from pacer_core import Secret
from pacer_http import Away
from pacer_scicat.options import ScicatOptions

EARLY = 0.9
"""The part of its life after which a token is renewed."""
Login = Callable[[str, Secret], tuple[str, float]]


@frozen
class _Token:
    text: Secret
    good_until: float
    """Of the monotonic clock."""
    stamp: int = 0
    """When its file was changed."""


class Session:
    """Gives the token of the moment; safe to use from many threads.

    ``login(username, password)`` asks the backend for a token, and gives it with the seconds it is good for.
    """

    def __init__(self, options: ScicatOptions, login: Login) -> None:
        self._options, self._login = options, login
        self._lock = threading.Lock()
        self._token: _Token | None = None

    def token(self) -> Secret:
        """Give a token that is good, as far as is known.

        Raises
        ------
        Away
            Where the login is refused or not answered, or the file cannot be read.
        """
        with self._lock:
            token = self._token
            if token is None or time.monotonic() >= token.good_until or self._has_changed(token):
                self._token = token = self._new()
            return token.text

    def refused(self, token: Secret) -> bool:
        """Forget a token that was refused; give whether there is another one to try."""
        with self._lock:
            if self._token is not None and self._token.text == token:
                self._token = None
            if self._options.token_file is not None:
                return self._read(self._options.token_file).text != token
            return self._options.token is None

    def _new(self) -> _Token:
        options = self._options
        if options.token is not None:
            return _Token(options.token, float("inf"))
        if options.token_file is not None:
            return self._read(options.token_file)
        if options.username is None or options.password is None:
            raise ValueError("neither a token nor an account")
        text, seconds = self._login(options.username, options.password)
        return _Token(Secret(text), time.monotonic() + EARLY * seconds)

    def _has_changed(self, token: _Token) -> bool:
        file = self._options.token_file
        return file is not None and _stamp(file) != token.stamp

    @staticmethod
    def _read(file: str) -> _Token:
        stamp = _stamp(file)
        try:
            text = Path(file).read_text().strip()
        except OSError as error:
            raise Away(f"SciCat: the token in {file} cannot be read: {error.strerror}") from None
        if not text:
            raise Away(f"SciCat: there is no token in {file}")
        return _Token(Secret(text), float("inf"), stamp)


def _stamp(file: str) -> int:
    try:
        return os.stat(file).st_mtime_ns
    except OSError:
        return 0


def ends_at(token: Secret) -> float | None:
    """Give when a token ends (seconds since 1970), as far as it says so itself."""
    payload = token.reveal().split(".")[1:2]
    try:
        found: Any = json.loads(base64.urlsafe_b64decode(payload[0] + "=" * (-len(payload[0]) % 4)))
        return float(found["exp"])
    except (IndexError, KeyError, TypeError, ValueError):
        return None
