"""Who may log in, and who is logged in."""

import sqlite3
import time
import uuid
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from attrs import field, frozen
from ruamel.yaml import YAML

from pacer_sandbox.errors import IcatError
from pacer_sandbox.store import Store

KEYS = {"simple": ("username", "password"), "db": ("username", "password"), "anon": ()}
"""The kinds of authenticator and the credentials that each asks for."""

LIFETIME_MINUTES = 120


class AccountsError(ValueError):
    """A file of accounts that cannot be read."""


@frozen
class Accounts:
    """The authenticators with their users, and who is a root user (``mechanism/username``)."""

    authenticators: Mapping[str, Mapping[str, str]] = field(repr=False)
    """Authenticator to user to password."""
    root_users: frozenset[str]

    @staticmethod
    def load(path: Path | None = None) -> "Accounts":
        """Read a YAML file of accounts; without one, those that the sandbox comes with.

        The file has ``rootUserNames`` and ``authenticators``, a mapping from ``simple``, ``db`` or
        ``anon`` to user names with their passwords. Raises AccountsError.
        """
        text = files("pacer_sandbox").joinpath("accounts.yaml").read_text("utf-8") if path is None else None
        told = YAML(typ="safe").load(text if path is None else path.read_text("utf-8"))
        where = path or "accounts.yaml"
        if not isinstance(told, dict) or not isinstance(told.get("authenticators"), dict):
            raise AccountsError(f"{where}: 'authenticators' is missing: a mapping from simple, db or anon")
        authenticators = {}
        for mnemonic, users in told["authenticators"].items():
            if mnemonic not in KEYS:
                raise AccountsError(f"{where}: authenticators.{mnemonic}: only {', '.join(KEYS)} are known")
            authenticators[mnemonic] = {str(name): str(password) for name, password in (users or {}).items()}
        return Accounts(authenticators, frozenset(told.get("rootUserNames") or ()))

    def user(self, mnemonic: str | None, credentials: Mapping[str, str]) -> str:
        """Return the name of the user whose credentials these are; SESSION otherwise."""
        users = self.authenticators.get(mnemonic or "")
        if users is None:
            shown = "null" if mnemonic is None else mnemonic
            raise IcatError("SESSION", f"Authenticator mnemonic {shown} not recognised")
        if mnemonic == "anon":
            return "anon/anon"
        for key in KEYS[mnemonic or ""]:
            if not credentials.get(key):
                raise IcatError("SESSION", f"{key} cannot be null or empty.")
        name = credentials["username"]
        if users.get(name) != credentials["password"]:
            raise IcatError("SESSION", "The username and password do not match")
        return f"{mnemonic}/{name}"


class Sessions:
    """The sessions of a catalogue, kept in its database: they outlive the process."""

    def __init__(self, store: Store, lifetime_minutes: float = LIFETIME_MINUTES) -> None:
        self._store = store
        self.lifetime = lifetime_minutes * 60
        self._known: dict[str, tuple[str, float]] = {}
        with store.transaction() as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS _session (id TEXT PRIMARY KEY, user TEXT NOT NULL, ends REAL)"
            )
            self._load(connection)

    def _load(self, connection: sqlite3.Connection) -> None:
        self._known = {row[0]: (row[1], row[2]) for row in connection.execute("SELECT * FROM _session")}

    def open(self, user: str) -> str:
        """Start a session and return its id."""
        key = str(uuid.uuid4())
        self._keep(key, user)
        return key

    def user(self, key: str | None) -> str:
        """Return the user of a session; SESSION where there is none or it has ended."""
        return self._find(key)[0]

    def remaining_minutes(self, key: str | None) -> float:
        """Return how long a session lasts."""
        return (self._find(key)[1] - time.time()) / 60

    def refresh(self, key: str | None) -> None:
        """Let a session last its whole life again."""
        user = self.user(key)
        self._keep(str(key), user)

    def close(self, key: str | None) -> None:
        """End a session."""
        self.user(key)
        self._known.pop(str(key), None)
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM _session WHERE id = ?", (key,))

    def expire_all(self) -> None:
        """End every session at once."""
        self._known.clear()
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM _session")

    def logged_in(self, user: str) -> bool:
        """Tell whether a user has a session."""
        now = time.time()
        return any(name == user and ends > now for name, ends in list(self._known.values()))

    def _find(self, key: str | None) -> tuple[str, float]:
        if not key:
            raise IcatError("SESSION", "Session Id cannot be null or empty.")
        found = self._known.get(key)
        if found is None or found[1] <= time.time():
            raise IcatError("SESSION", f"Unable to find user by sessionid: {key}")
        return found

    def _keep(self, key: str, user: str) -> None:
        ends = time.time() + self.lifetime
        self._known[key] = (user, ends)
        with self._store.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO _session VALUES (?, ?, ?)", (key, user, ends))
