"""Who asks: accounts with their groups, and the tokens that they are given at a login."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any, Literal
from uuid import uuid4

from attrs import evolve, field, frozen

from pacer_scicat.testing.refusals import Refused, refused
from pacer_scicat.testing.values import now

Create = Literal["none", "own", "own with pid", "any"]
SECRET = "the stand-in's own"  # noqa: S105 - of a stand-in
LIFETIME = 36000


@frozen
class User:
    """An account: what its groups let it do, as a usual configuration of a backend has it.

    ``creates`` are datasets: of its own groups alone, these with a pid of its own as well, or any.
    """

    name: str
    groups: tuple[str, ...] = ()
    creates: Create = "none"
    is_admin: bool = False
    deletes: bool = False
    proposals: bool = False
    samples: Literal["none", "own", "any"] = "none"
    password: str = ""
    id: str = field(factory=lambda: uuid4().hex[:24])

    @property
    def email(self) -> str:
        """The address that the backend gives a functional account."""
        return f"{self.name.lower()}@scicat.project"

    def reads(self, thing: Mapping[str, Any]) -> bool:
        """Tell whether it may see something that belongs to groups (A8, 6)."""
        return bool(thing.get("isPublished")) or self.is_member(thing)

    def is_member(self, thing: Mapping[str, Any]) -> bool:
        """Tell whether it is in a group that something belongs to."""
        groups = {thing.get("ownerGroup"), *(thing.get("accessGroups") or ())}
        return self.is_admin or not groups.isdisjoint(self.groups)

    def owns(self, thing: Mapping[str, Any]) -> bool:
        """Tell whether it may change something."""
        return self.is_admin or thing.get("ownerGroup") in self.groups


ANONYMOUS = User("anonymous", id="")

USERS = (
    User("admin", ("admin", "globalaccess"), "any", is_admin=True, proposals=True, samples="any"),
    User("adminIngestor", ("adminingestor",), "any"),
    User("datasetIngestor", ("datasetingestor",), "any"),
    User("archiveManager", ("archivemanager",), deletes=True),
    User("proposalIngestor", ("proposalingestor",), proposals=True),
    User("sampleIngestor", ("sampleingestor",), samples="any"),
    User("user1", ("group1",), "own", samples="own"),
    User("user2", ("group2",), "own with pid", samples="own"),
    User("user3", ("group3",), "any", samples="own"),
    User("user4", ("group4",)),
    User("user6", ("group6",)),
)
"""The accounts of the recorded answers; each password is ``pw-`` and the name, where none is given."""


class Accounts:
    """The accounts of one stand-in.

    Parameters
    ----------
    users
        Who there is.
    lifetime
        Seconds that a token of a login is good for.
    """

    def __init__(self, users: Iterable[User] = USERS, lifetime: float = LIFETIME) -> None:
        self.lifetime = lifetime
        self._users = {
            user.name: user if user.password else evolve(user, password=f"pw-{user.name}") for user in users
        }
        self.logins = 0

    def login(self, given: Any) -> dict[str, Any]:
        """Answer a login.

        Raises
        ------
        Refused
            401, where name and password are no account's.
        """
        name = given.get("username") if isinstance(given, Mapping) else None
        user = self._users.get(name) if isinstance(name, str) else None
        if user is None or given.get("password") != user.password:
            raise Refused(401, {"message": "Unauthorized", "statusCode": 401})
        self.logins += 1
        token = self.token(user.name)
        return {
            "access_token": token,
            "id": token,
            "expires_in": self._whole,
            "ttl": self._whole,
            "created": now(),
            "userId": user.id,
            "user": self.user(user),
        }

    @property
    def _whole(self) -> float:
        return int(self.lifetime) if float(self.lifetime).is_integer() else self.lifetime

    @staticmethod
    def user(user: User) -> dict[str, Any]:
        """Give an account as a login and ``users/my/self`` show it."""
        return {
            "username": user.name,
            "email": user.email,
            "authStrategy": "local",
            "_id": user.id,
            "__v": 0,
            "id": user.id,
        }

    @staticmethod
    def identity(user: User) -> dict[str, Any]:
        """Give an account as ``users/my/identity`` shows it."""
        profile = {
            "displayName": user.name,
            "email": user.email,
            "username": user.name,
            "thumbnailPhoto": "error: no photo found",
            "id": user.id,
            "emails": [{"value": user.email}],
            "accessGroups": list(user.groups),
            "_id": user.id,
        }
        return {
            "authStrategy": "local",
            "externalId": "",
            "profile": profile,
            "provider": "local",
            "userId": user.id,
            "_id": user.id,
            "__v": 0,
            "id": user.id,
            "created": None,
            "modified": None,
        }

    def token(self, name: str, *, lifetime: float | None = None, secret: str = SECRET) -> str:
        """Give a token of an account, whether there is such an account or not."""
        user = self._users.get(name)
        seconds = self.lifetime if lifetime is None else lifetime
        payload = {
            "_id": user.id if user else uuid4().hex[:24],
            "username": name,
            "exp": time.time() + seconds,
        }
        signed = f"{_coded({'alg': 'HS256', 'typ': 'JWT'})}.{_coded(payload)}"
        return f"{signed}.{_signature(signed, secret)}"

    def who(self, header: str | None, query: Mapping[str, str]) -> User:
        """Give who asks: whoever has no token of ours is nobody (A8, 3).

        Raises
        ------
        Refused
            401, for a token of ours that is too old (A8, 2).
        """
        scheme, _, given = (header or "").partition(" ")
        token = given.strip() if scheme.lower() == "bearer" else query.get("access_token", "")
        signed, _, signature = token.rpartition(".")
        if not signed or not hmac.compare_digest(signature, _signature(signed, SECRET)):
            return ANONYMOUS
        payload = _decoded(signed.partition(".")[2])
        if payload["exp"] <= time.time():
            raise refused(401, "SESSION_EXPIRED")
        return self._users.get(payload["username"], ANONYMOUS)


def _coded(thing: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(thing).encode()).decode().rstrip("=")


def _decoded(text: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def _signature(signed: str, secret: str) -> str:
    digest = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
