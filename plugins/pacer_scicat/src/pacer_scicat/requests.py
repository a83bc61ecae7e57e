"""Requests to a SciCat backend as an account: its version, its token, and what its refusals mean."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Mapping
from typing import Any

from attrs import frozen

from pacer_core import Reject, Secret
from pacer_http import Answer, Away, Forbidden, HttpClient, Refused
from pacer_scicat.failures import ANONYMOUS, NotAllowed, Upset, message_of, said
from pacer_scicat.options import ScicatOptions
from pacer_scicat.session import Session

LARGEST = 15 * 1024 * 1024
"""Bytes of a body that are sent at most: 16 MB are a 500 without a word about it (A8, 26)."""


@frozen
class Account:
    """Who the backend takes us for."""

    name: str
    groups: tuple[str, ...] = ()
    email: str | None = None


class Requests:
    """Sends requests as the account of the options; safe to use from many threads."""

    def __init__(self, options: ScicatOptions, http: HttpClient) -> None:
        self.options = options
        self._http = http
        self._session = Session(options, self._login)
        self._lock = threading.Lock()
        self._version = options.named_version
        self._account: Account | None = None

    @property
    def version(self) -> str:
        """The version of the interface that is spoken."""
        if self._version is None:
            with self._lock:
                self._version = self._spoken()
        return self._version

    def _spoken(self) -> str:
        """Ask which version there is; a 404 alone may be a proxy's, in front of a backend that starts."""
        for version in ("v3", "v4"):
            answer = self._http.request(
                "GET", f"/api/{version}/health", headers=self.options.headers, expect=(200, 404)
            )
            if answer.status == 200 and "status" in answer.entries():
                return version
        raise Away(f"SciCat: neither version 3 nor 4 is at {self.options.root}; correct 'url'", answer)

    def account(self) -> Account:
        """Give who the backend takes us for; asked once.

        Raises
        ------
        Away
            Where it takes us for nobody.
        """
        if self._account is None:
            answer = self.send("GET", "/auth/whoami")
            if not answer.body.strip():
                raise Away("SciCat takes PACER for nobody: its token is not accepted; renew it", answer)
            found = answer.entries()
            groups = tuple(found.get("currentGroups") or ())
            self._account = Account(str(found.get("username")), groups, found.get("email"))
        return self._account

    def forget_account(self) -> None:
        """Ask anew who the account is."""
        self._account = None

    def health(self) -> None:
        """See that the backend and its database are there.

        Raises
        ------
        Away
            Where they are not.
        """
        self._http.request("GET", f"/api/{self.version}/health", headers=self.options.headers).entries()

    def found(self, path: str, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Give the list that a filter finds.

        Raises
        ------
        Away
            Where the answer is none.
        """
        return self.listed(self.send("GET", path, params={"filter": json.dumps(wanted)}))

    @staticmethod
    def listed(answer: Answer) -> list[dict[str, Any]]:
        """Give the list that an answer holds.

        Raises
        ------
        Away
            Where it holds none.
        """
        found = answer.json()
        if not isinstance(found, list):
            raise Away(f"{answer.what} was answered with {answer.status} and no list", answer)
        return found

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,  # the name that HttpClient has for it
        expect: Collection[int] | None = None,
    ) -> Answer:
        """Send a request as the account; a token that has ended is renewed once.

        Raises
        ------
        Reject
            Where the body is larger than a backend takes, or no JSON.
        Away, Forbidden, Missing, Conflict, Refused
            As `pacer_http` says.
        """
        statuses = set(expect or (200,))
        body = None if json is None else _encoded(json, path)
        for last in (False, True):
            token = self._session.token()
            answer = self._http.request(
                method,
                f"/api/{self.version}{path}",
                params=params,
                body=body,
                content_type=None if body is None else "application/json",
                headers={**self.options.headers, "Authorization": f"Bearer {token.reveal()}"},
                expect=statuses if last else {*statuses, 401},
            )
            if answer.status != 401:
                break
            if not self._session.refused(token):
                raise Away("SciCat: the token has ended or is refused; give a new one", answer)
        return answer

    def _login(self, username: str, password: Secret) -> tuple[str, float]:
        answer = self._http.request(
            "POST",
            f"/api/{self.version}/auth/login",
            json={"username": username, "password": password.reveal()},
            headers=self.options.headers,
            expect=(200, 201),
            repeatable=True,
        )
        found = answer.entries()
        token, seconds = found.get("access_token") or found.get("id"), found.get("expires_in") or 3600
        if not isinstance(token, str) or not isinstance(seconds, int | float):
            raise Away(f"{answer.what} was answered without a token", answer)
        return token, float(seconds)

    def check_created(self, answer: Answer, what: str) -> None:
        """Raise what a refusal of something to be created means (A8, 3 to 6 and 26).

        Raises
        ------
        Refused, NotAllowed, Upset, Away, Forbidden
            ``NotAllowed`` and ``Upset`` are of `pacer_scicat`.
        """
        if answer.status == 201:
            return
        if answer.status == 400:
            raise Refused(f"SciCat refuses {what}: {said(answer)}", answer)
        self.health()  # away where the database is: then it takes everybody for nobody
        if answer.status == 500:
            raise Upset(f"{answer.what} was answered with 500 by a backend that is well", answer)
        if message_of(answer) != ANONYMOUS:
            raise NotAllowed(
                f"SciCat does not let the account create {what} ({said(answer)}): give it the right "
                "for this owner group, and for pids of its own, then replay the message",
                answer,
            )
        self._account = None
        name = self.account().name
        raise Forbidden(
            f"{answer.what} was answered with 403: let the account {name} create such things", answer
        )


def _encoded(body: Any, path: str) -> bytes:
    """Give a body as JSON.

    Raises
    ------
    Reject
        Where it is larger than a backend takes, or holds what JSON has no word for.
    """
    try:
        encoded = json.dumps(body, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
    except (TypeError, ValueError) as error:
        raise Reject(f"what would be sent to {path} is no JSON: {error}") from None
    if len(encoded) > LARGEST:
        raise Reject(f"what would be sent to {path} has {len(encoded)} bytes: SciCat takes 16 MB")
    return encoded
