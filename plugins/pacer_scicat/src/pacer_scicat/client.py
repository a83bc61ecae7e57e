"""SciCat's REST API, as far as files, samples and datasets need it (versions 3 and 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from attrs import field, frozen

from pacer_core import Seen
from pacer_http import Answer, Away, Conflict, HttpClient, addressed, segment
from pacer_scicat.failures import message_of
from pacer_scicat.fields import in_version
from pacer_scicat.options import ScicatOptions
from pacer_scicat.requests import Account, Requests

PARTS = ("datasets", "origdatablocks", "proposals", "instruments", "samples", "attachments", "jobs")
"""The endpoints that a schema may ask."""


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
        self._requests = Requests(options, http)
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
        answer = self._requests.send("POST", "/datasets", json=body, expect=(201, 400, 403, 409, 500))
        if answer.status == 409:
            return None
        if answer.status == 500 and "pid" in body and self.held(str(body["pid"])).state != "absent":
            return None
        self._requests.check_created(answer, "the dataset")
        pid = answer.entries().get("pid")
        if not isinstance(pid, str):
            raise Away(f"{answer.what} was answered without a pid", answer)
        return pid

    def held(self, pid: str) -> Held:
        """Say whether there is a dataset of a pid, also where the account may not see it (A8, 6)."""
        answer = self._requests.send("GET", f"/datasets/{segment(pid)}", expect=(200, 403, 404))
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
        found = self._requests.found("/datasets", wanted)
        return [str(one["pid"]) for one in found if isinstance(one, dict) and "pid" in one]

    def files_of(self, pid: str) -> list[str]:
        """Give the paths of the files in a dataset's blocks.

        Version 3 is asked through the dataset: who may read that is told of all of its blocks, while a list
        silently leaves out those whose groups are still what the dataset's were when they were added.
        """
        if self.version == "v3":
            answer = self._requests.send("GET", f"/datasets/{segment(pid)}/origdatablocks")
            blocks = self._requests.listed(answer)
        else:
            blocks = self._requests.found("/origdatablocks", {"where": {"datasetId": pid}})
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
        answer = self._requests.send("POST", "/origdatablocks", json=block, expect=(201, 400, 403, 404, 500))
        if answer.status == 404:
            raise Conflict(f"{answer.what}: the dataset {pid} has gone since; replay the message", answer)
        self._requests.check_created(answer, "the block of files")

    # --- samples, and whatever schemas ask --------------------------------------------------------------

    def samples_with(self, description: str, proposal: str | None) -> list[dict[str, Any]]:
        """Give the samples of a description, and of a proposal where one is named."""
        where = {"description": description} | ({} if proposal is None else {"proposalId": proposal})
        return self._requests.found("/samples", {"where": where})

    def sample(self, sample_id: str) -> bool:
        """Say whether there is a sample of an id."""
        answer = self._requests.send("GET", f"/samples/{segment(sample_id)}", expect=(200, 403, 404))
        return answer.status != 404

    def instrument(self, name: str) -> str | None:
        """Give the pid of the instrument of a name, where there is one; asked once for each."""
        if name not in self._instruments:
            found = self._requests.found("/instruments", {"where": {"name": name}})
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
        answer = self._requests.send("POST", "/samples", json=dict(fields), expect=(201, 400, 403, 409, 500))
        if answer.status in (409, 500) and self.sample(str(fields["sampleId"])):
            return False
        self._requests.check_created(answer, "the sample")
        return True

    def ask(self, path: str) -> Any:
        """Give what the backend says at a path below its version; ``None`` for nothing.

        Raises
        ------
        Missing, Forbidden, Away
            As `pacer_http` says.
        """
        answer = self._requests.send("GET", f"/{path.lstrip('/')}")
        return answer.json() if answer.body.strip() else None

    # --- the backend itself -----------------------------------------------------------------------------

    @property
    def version(self) -> str:
        """The version of the interface that is spoken."""
        return self._requests.version

    def account(self) -> Account:
        """Give who the backend takes us for; asked once.

        Raises
        ------
        Away
            Where it takes us for nobody.
        """
        return self._requests.account()

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
            self._requests.health()
            self._requests.forget_account()
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


def _clock(answer: Answer) -> datetime:
    """Give the backend's time, by the header ``Date``."""
    try:
        return parsedate_to_datetime(answer.headers["date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return datetime.now(UTC)
