"""SciCat's REST API, as far as files, samples and datasets need it (versions 3 and 4)."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from attrs import field, frozen

from pacer_core import Reject, Secret, Seen
from pacer_http import Answer, Away, Conflict, Forbidden, HttpClient, Refused, addressed, segment
from pacer_scicat.failures import ANONYMOUS, NotAllowed, Upset, message_of, said
from pacer_scicat.fields import in_version
from pacer_scicat.options import ScicatOptions
from pacer_scicat.session import Session

LARGEST = 15 * 1024 * 1024
"""Bytes of a body that are sent at most: 16 MB are a 500 without a word about it (A8, 26)."""
PARTS = ("datasets", "origdatablocks", "proposals", "instruments", "samples", "attachments", "jobs")
"""The endpoints that a schema may ask."""


@frozen
class Account:
    """Who the backend takes us for."""

    name: str
    groups: tuple[str, ...] = ()
    email: str | None = None


@frozen
class Held:
    """What the backend has under a pid.

    ``state`` is ``absent``, ``seen``, or ``hidden``: it is there, and the account may not see it.
    """

    state: Literal["absent", "seen", "hidden"]
    dataset: Mapping[str, Any] = field(factory=dict)
    asked_at: datetime | None = None
    """The backend's clock when it answered."""


class Scicat:
    """A SciCat backend: ``ctx[SCICAT]``; safe to use from many threads."""

    def __init__(self, options: ScicatOptions, http: HttpClient) -> None:
        self.options = options
        self._http = http
        self._session = Session(options, self._login)
        self._lock = threading.Lock()
        self._version = options.named_version
        self._account: Account | None = None
        self._instruments: dict[str, str] = {}

    # --- datasets and their blocks ----------------------------------------------------------------------

    def create_dataset(self, fields: Mapping[str, Any]) -> str | None:
        """Create a dataset, given by version 3's names; give its pid, ``None`` where that is taken.

        After a 500 a dataset that is there may be this one (A8, 18) or an older one with its files: that is
        ``None`` as well.

        Raises
        ------
        Refused, NotAllowed, Upset, Away, Forbidden
            As `pacer_http` says; ``NotAllowed`` and ``Upset`` are of `pacer_scicat`.
        """
        body = in_version(fields, self.version)
        answer = self._send("POST", "/datasets", json=body, expect=(201, 400, 403, 409, 500))
        if answer.status == 409:
            return None
        if answer.status == 500 and "pid" in body and self.held(str(body["pid"])).state != "absent":
            return None
        self._check(answer, "the dataset")
        pid = answer.entries().get("pid")
        if not isinstance(pid, str):
            raise Away(f"{answer.what} was answered without a pid", answer)
        return pid

    def held(self, pid: str) -> Held:
        """Say whether there is a dataset of a pid, also where the account may not see it (A8, 6)."""
        answer = self._send("GET", f"/datasets/{segment(pid)}", expect=(200, 403, 404))
        if answer.status == 403:
            return Held("hidden")
        if answer.status == 404:
            if message_of(answer).startswith("Cannot "):  # of the router: no word about datasets (A8, 10)
                raise Away(f"{answer.what} was answered with 404 by something else; correct the URL", answer)
            return Held("absent")
        return Held("seen", answer.entries(), _clock(answer))

    def pids_with(self, key: str, value: Any) -> list[str]:
        """Give the datasets whose metadata hold a value under a key, the oldest first; none is ``[]``."""
        where = {f"scientificMetadata.{key}.value": value}
        wanted = {"where": where, "fields": ["pid", "createdAt"], "limits": {"order": "createdAt:asc"}}
        found = self._list("/datasets", wanted)
        return [str(one["pid"]) for one in found if isinstance(one, dict) and "pid" in one]

    def files_of(self, pid: str) -> list[str]:
        """Give the paths of the files in a dataset's blocks.

        Version 3 is asked through the dataset: who may read that is told of all of its blocks, while a list
        silently leaves out those whose groups are still what the dataset's were when they were added.
        """
        if self.version == "v3":
            blocks = self._listed(self._send("GET", f"/datasets/{segment(pid)}/origdatablocks"))
        else:
            blocks = self._list("/origdatablocks", {"where": {"datasetId": pid}})
        return [str(file.get("path")) for block in blocks for file in block.get("dataFileList") or ()]

    def create_block(self, pid: str, files: Sequence[Mapping[str, Any]], algorithm: str | None) -> None:
        """Add a block of files to a dataset; the backend adds its size and number to the dataset's.

        Not to be repeated: the same block twice is two (A8, 20).

        Raises
        ------
        Refused, NotAllowed, Upset, Away, Forbidden
            As for a dataset.
        """
        block = {
            "datasetId": pid,
            "size": sum(int(file["size"]) for file in files),
            "dataFileList": [{key: one for key, one in file.items() if one is not None} for file in files],
            **({"chkAlg": algorithm} if algorithm else {}),
        }
        answer = self._send("POST", "/origdatablocks", json=block, expect=(201, 400, 403, 404, 500))
        if answer.status == 404:
            raise Conflict(f"{answer.what}: the dataset {pid} has gone since; replay the message", answer)
        self._check(answer, "the block of files")

    # --- samples, and whatever schemas ask --------------------------------------------------------------

    def samples_with(self, description: str, proposal: str | None) -> list[dict[str, Any]]:
        """Give the samples of a description, and of a proposal where one is named."""
        where = {"description": description} | ({} if proposal is None else {"proposalId": proposal})
        return self._list("/samples", {"where": where})

    def sample(self, sample_id: str) -> bool:
        """Say whether there is a sample of an id."""
        answer = self._send("GET", f"/samples/{segment(sample_id)}", expect=(200, 403, 404))
        return answer.status != 404

    def instrument(self, name: str) -> str | None:
        """Give the pid of the instrument of a name, where there is one; asked once for each."""
        if name not in self._instruments:
            found = self._list("/instruments", {"where": {"name": name}})
            if not found:
                return None
            self._instruments[name] = str(found[0].get("pid"))
        return self._instruments[name]

    def create_sample(self, fields: Mapping[str, Any]) -> bool:
        """Create a sample; ``False`` where there is one of its id: that is a 500 (A8, 14).

        Raises
        ------
        Refused, NotAllowed, Upset, Away, Forbidden
            As for a dataset.
        """
        answer = self._send("POST", "/samples", json=dict(fields), expect=(201, 400, 403, 409, 500))
        if answer.status in (409, 500) and self.sample(str(fields["sampleId"])):
            return False
        self._check(answer, "the sample")
        return True

    def ask(self, path: str) -> Any:
        """Give what the backend says at a path below its version; ``None`` for nothing.

        Raises
        ------
        Missing, Forbidden, Away
            As `pacer_http` says.
        """
        answer = self._send("GET", f"/{path.lstrip('/')}")
        return answer.json() if answer.body.strip() else None

    # --- the backend itself -----------------------------------------------------------------------------

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
            answer = self._send("GET", "/auth/whoami")
            if not answer.body.strip():
                raise Away("SciCat takes PACER for nobody: its token is not accepted; renew it", answer)
            found = answer.entries()
            groups = tuple(found.get("currentGroups") or ())
            self._account = Account(str(found.get("username")), groups, found.get("email"))
        return self._account

    def own_group(self) -> str | None:
        """Give the group by which the account can read what it has created, where it has one."""
        if self.options.ingestor_group is not None:
            return self.options.ingestor_group or None
        account = self.account()
        named = [group for group in account.groups if group.lower() == account.name.lower()]
        return named[0] if named else None

    def check(self) -> None:
        """Ask for something harmless: whether it is well, and knows us.

        Raises
        ------
        Away
            Where it is away, or its database is, or it takes us for nobody.
        """
        with addressed("url", self.options.url, "the address of SciCat's backend"):
            self._health()
            self._account = None
            self.account()

    def examine(self) -> Sequence[Seen]:
        """Say who PACER is there, and whether it can read what it creates."""
        account, group = self.account(), self.own_group()
        found = [Seen(f"{self.version}, as {account.name}, in {', '.join(account.groups) or 'no group'}")]
        if group is None:
            found.append(
                Seen(
                    "the account has no group of its own: what it creates for others it cannot read back",
                    "give it one, or name it as 'ingestorGroup'",
                )
            )
        return found

    def _health(self) -> None:
        self._http.request("GET", f"/api/{self.version}/health", headers=self.options.headers).entries()

    # --- requests ---------------------------------------------------------------------------------------

    def _list(self, path: str, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
        return self._listed(self._send("GET", path, params={"filter": json.dumps(wanted)}))

    @staticmethod
    def _listed(answer: Answer) -> list[dict[str, Any]]:
        found = answer.json()
        if not isinstance(found, list):
            raise Away(f"{answer.what} was answered with {answer.status} and no list", answer)
        return found

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,  # the name that HttpClient has for it
        expect: Collection[int] | None = None,
    ) -> Answer:
        """Send a request as the account; a token that has ended is renewed once."""
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

    def _check(self, answer: Answer, what: str) -> None:
        """Raise what a refusal of something to be created means (A8, 3 to 6 and 26)."""
        if answer.status == 201:
            return
        if answer.status == 400:
            raise Refused(f"SciCat refuses {what}: {said(answer)}", answer)
        self._health()  # away where the database is: then it takes everybody for nobody
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


def _clock(answer: Answer) -> datetime:
    """Give the backend's time, by the header ``Date``."""
    try:
        return parsedate_to_datetime(answer.headers["date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return datetime.now(UTC)
