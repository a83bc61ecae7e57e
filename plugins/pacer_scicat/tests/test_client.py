"""The client and its token; against a real backend as well, which ``--scicat-url`` names."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pacer_core import Secret
from pacer_http import Away, Forbidden, Refused
from pacer_scicat import SCICAT, Scicat, ScicatOptions
from pacer_scicat.failures import NotAllowed
from pacer_scicat.session import ends_at
from pacer_scicat.testing import Accounts, ScicatStandIn, User
from plugins.pacer_scicat.tests.support import client_of, options_for


def fields(**changes: Any) -> dict[str, Any]:
    return {
        "type": "raw", "owner": "Ann", "contactEmail": "a@b.org", "ownerGroup": "datasetingestor",
        "sourceFolder": "/data", "creationTime": "2026-01-01T00:00:00Z", "principalInvestigator": "Ann",
        "creationLocation": "here", "datasetName": "d",
        **changes,
    }  # fmt: skip


def item(path: str, size: int = 5) -> dict[str, Any]:
    return {"path": path, "size": size, "time": "2026-01-01T00:00:00Z", "chk": None}


def test_what_is_created_is_found_by_pid_and_by_metadata(anywhere: Scicat) -> None:
    pid, job = f"20.500.12269/{uuid4()}", str(uuid4())
    given = fields(pid=pid, scientificMetadata={"job_id": {"value": job, "unit": ""}})
    assert anywhere.held(pid).state == "absent"
    assert anywhere.create_dataset(given) == pid
    assert anywhere.create_dataset(given) is None
    assert anywhere.held(pid).state == "seen"
    assert anywhere.pids_with("job_id", job) == [pid]
    assert anywhere.pids_with("job_id", str(uuid4())) == []
    assert anywhere.files_of(pid) == []
    anywhere.create_block(pid, [item("a"), item("b", 7)], "sha256")
    assert sorted(anywhere.files_of(pid)) == ["a", "b"]
    dataset = anywhere.held(pid).dataset
    assert (dataset["size"], dataset["numberOfFiles"]) == (12, 2)


def test_the_backend_gives_a_pid_where_there_is_none(anywhere: Scicat) -> None:
    first, second = anywhere.create_dataset(fields()), anywhere.create_dataset(fields())
    assert first is not None
    assert first != second


def test_a_refusal_says_why_and_quotes_no_value(anywhere: Scicat) -> None:
    with pytest.raises(Refused, match="Expected an email") as raised:
        anywhere.create_dataset(fields(contactEmail="secret"))
    assert "secret" not in str(raised.value)


def test_nulls_are_left_out(anywhere: Scicat) -> None:
    assert anywhere.create_dataset(fields(proposalId=None, isPublished=None)) is not None


def test_it_is_well_and_says_who_we_are(anywhere: Scicat) -> None:
    anywhere.check()
    assert anywhere.account().name
    assert SCICAT.examine is not None
    assert list(SCICAT.examine(anywhere, []))


def test_a_proxy_in_front_of_a_backend_that_starts_says_nothing_about_versions(
    scicat: ScicatStandIn, client: Scicat
) -> None:
    scicat.misbehaviour.fail("status", path="/health", status=404)
    scicat.misbehaviour.fail("status", path="/health", status=404)
    with pytest.raises(Away, match="neither version 3 nor 4"):
        client.held("x")
    assert client.held("x").state == "absent"
    assert client.version == "v3"


def test_version_4_gets_its_own_names(scicat: ScicatStandIn) -> None:
    with client_of(f"{scicat.url}/api/v4") as client:
        pid = client.create_dataset(fields(proposalId="p", sampleId="s"))
        assert pid is not None
        assert scicat.store.datasets[pid]["proposalIds"] == ["p"]
        assert client.held(pid).dataset["version"] == "4"


def test_a_token_is_renewed_before_its_end(scicat: ScicatStandIn, client: Scicat) -> None:
    scicat.backend.accounts.lifetime = 0.5
    client.account()
    time.sleep(0.46)
    client.held("x")
    assert scicat.backend.accounts.logins == 2
    assert scicat.misbehaviour.asked["GET datasets"] == 1


def test_a_token_that_has_ended_is_renewed_once(scicat: ScicatStandIn, client: Scicat) -> None:
    client.account()
    scicat.misbehaviour.fail("status", method="GET", path="/datasets", status=401)
    assert client.held("x").state == "absent"
    assert scicat.backend.accounts.logins == 2


def test_a_login_that_is_refused_is_away_and_shows_no_password(scicat: ScicatStandIn) -> None:
    with client_of(scicat.url, password=Secret("wrong-one")) as client:
        with pytest.raises(Away, match="credentials") as raised:
            client.held("x")
        assert "wrong-one" not in str(raised.value)
        assert SCICAT.is_away(raised.value)


def test_a_token_may_be_given_and_says_when_it_ends(scicat: ScicatStandIn) -> None:
    token = Secret(scicat.backend.accounts.token("datasetIngestor", lifetime=60))
    with client_of(scicat.url, token=token) as client:
        assert client.account().name == "datasetIngestor"
    assert time.time() < (ends_at(token) or 0) <= time.time() + 60
    assert ends_at(Secret("no token")) is None


def test_a_token_that_is_no_good_is_no_word_about_the_dataset(scicat: ScicatStandIn) -> None:
    """The backend takes whoever has it for nobody: 403, as for a right that is missing."""
    with client_of(scicat.url, token=Secret("garbage")) as client, pytest.raises(Away, match="for nobody"):
        client.create_dataset(fields())


def test_a_token_that_has_ended_and_cannot_be_renewed_is_away(scicat: ScicatStandIn) -> None:
    token = Secret(scicat.backend.accounts.token("datasetIngestor", lifetime=-1))
    with client_of(scicat.url, token=token) as client, pytest.raises(Away, match="token has ended"):
        client.held("x")


def test_a_file_with_a_token_is_read_again(scicat: ScicatStandIn, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(scicat.backend.accounts.token("datasetIngestor", lifetime=-1))
    with client_of(scicat.url, token_file=str(file)) as client:
        with pytest.raises(Away, match="token has ended"):
            client.held("x")
        file.write_text(scicat.backend.accounts.token("user2") + "\n")
        assert client.account().name == "user2"
        file.unlink()
        with pytest.raises(Away, match="cannot be read"):
            client.held("x")


def test_an_account_without_the_right_to_create_is_told_so() -> None:
    accounts = Accounts([User("datasetIngestor", ("datasetingestor",))])
    with (
        ScicatStandIn(accounts=accounts) as scicat,
        client_of(scicat.url) as client,
        pytest.raises(Forbidden, match="let the account datasetIngestor create"),
    ):
        client.create_dataset(fields())


def test_another_groups_dataset_is_not_allowed() -> None:
    accounts = Accounts([User("datasetIngestor", ("datasetingestor",), "own")])
    with (
        ScicatStandIn(accounts=accounts) as scicat,
        client_of(scicat.url) as client,
        pytest.raises(NotAllowed, match="Unauthorized to create this dataset"),
    ):
        client.create_dataset(fields(ownerGroup="elsewhere"))


def test_a_dataset_that_is_there_in_spite_of_a_500_is_taken(anywhere: Scicat) -> None:
    pid = f"20.500.12269/{uuid4()}"
    assert anywhere.create_dataset(fields(pid=pid, scientificMetadata={"z": None})) is None
    assert anywhere.held(pid).state == "seen"


def test_what_is_too_large_is_not_sent(scicat: ScicatStandIn, client: Scicat) -> None:
    with pytest.raises(Exception, match="SciCat takes 16 MB"):
        client.create_dataset(fields(description="x" * 16_000_000))
    assert scicat.misbehaviour.asked["POST datasets"] == 0


def test_additional_headers_go_along(scicat: ScicatStandIn) -> None:
    with client_of(scicat.url, headers={"X-Site": "ess"}) as client:
        client.check()
        assert client.options.headers == {"X-Site": "ess"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": Secret("a"), "username": "b", "password": Secret("c")},
        {"password": None},
        {"username": None, "password": None},
        {"timeout": timedelta(0)},
        {"url": "scicat.example.org"},
    ],
)
def test_options_that_do_not_go_together_are_refused(wrong: dict[str, Any]) -> None:
    given = {"url": "https://scicat", "username": "a", "password": Secret("b"), **wrong}
    with pytest.raises(ValueError, match=r"."):
        ScicatOptions(**given)


def test_no_secret_is_in_what_options_show() -> None:
    assert "pw-datasetIngestor" not in repr(options_for("https://scicat"))
