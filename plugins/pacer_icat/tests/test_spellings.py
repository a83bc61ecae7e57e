"""The same thing in two spellings: folders, ORCID iDs and user names."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer_core import Delivery, Outcome
from pacer_icat import IcatClient, folder, orcid, user_name
from pacer_icat.links.task import DATASET_LINKS
from pacer_icat.updates.metadata import DATASET_METADATA
from pacer_icat.users.task import USERS
from plugins.pacer_icat.tests.people import Sync, accounts, members, read, roles, user_message
from plugins.pacer_icat.tests.support import (
    Send,
    dataset_message,
    deliver_to,
    follow,
    link_lists,
    parameters_of,
)

ID = "0000-0002-1825-0097"
RUN = "/data/visit/run1"
RUNS = [f"{RUN}/", "//data/visit//run1", "/data/./visit/run1", f" {RUN} ", "/data/visit/run1/."]


@pytest.mark.parametrize(
    ("spelt", "normal"),
    [
        *((one, RUN) for one in (RUN, *RUNS)),
        ("///", "/"),
        ("/", "/"),
        ("./a/b", "a/b"),
        ("a//b/", "a/b"),
        ("/a/../b", "/a/../b"),
        ("/a/.hidden/b", "/a/.hidden/b"),
        ("/a/b.", "/a/b."),
        ("s3://bucket//a/./b/", "s3://bucket/a/b"),
        ("file:///data/a/", "file:///data/a"),
        ("", ""),
        (".", "."),
    ],
)
def test_a_folder_has_one_form(spelt: str, normal: str) -> None:
    assert folder(spelt) == normal


@given(st.text(alphabet="/.ab :", max_size=12))
def test_the_form_of_a_folder_has_itself_as_its_form(text: str) -> None:
    assert folder(folder(text)) == folder(text)


@pytest.mark.parametrize(
    "spelt",
    [
        *(
            ID,
            f" {ID}\n",
            f"https://orcid.org/{ID}",
            f"http://orcid.org/{ID}/",
            f"https://www.orcid.org/{ID}",
        ),
        *(f"orcid.org/{ID}", f"www.orcid.org/{ID}", f"//orcid.org/{ID}", f"HTTPS://ORCID.ORG/{ID}"),
        *("0000000218250097", "0000 0002 1825 0097", ID.replace("-", "\u2013"), ID.replace("-", "\u2011")),
        *(f"ORCID: {ID}", f"orcid:{ID}", f"ORCID iD: {ID}", f"ORCID {ID}", f"ORCID={ID}", f"urn:orcid:{ID}"),
        *(
            f"<https://orcid.org/{ID}>",
            f"({ID})",
            f"https://orcid.org/{ID}?lang=en",
            f"{ID}\u200b",
            f"\ufeff{ID}",
        ),
        *(f"https://orcid.org/my-orcid?orcid={ID}", "https://orcid.org/0000000218250097", f"\xa0{ID}"),
        *(
            ID.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)}),
            f"info:orcid/{ID}",
            f"https://orcid.org//{ID}",
        ),
    ],
)
def test_every_spelling_of_an_orcid_id_is_the_same(spelt: str) -> None:
    assert orcid(spelt) == ID


@pytest.mark.parametrize(
    "spelt", ["0000-0002-1694-233X", "0000-0002-1694-233x", "http://orcid.org/000000021694233x"]
)
def test_the_tenth_digit_is_a_large_x(spelt: str) -> None:
    assert orcid(spelt) == "0000-0002-1694-233X"


@pytest.mark.parametrize(
    "spelt",
    [
        *(
            None,
            "",
            " ",
            "none",
            "0000-0002-1825-0098",
            "0000-0002-1825-009",
            "0000-0002-1825-00977",
            "X" * 10_000,
        ),
        *(
            "0000-0002-1825-009X",
            "https://example.org/0000-0002-1825-0097",
            "0000-0000-0000-0000",
            "-" * 190,
            "X" * 10_000,
        ),
        "https://orcid.org/",
    ],
)
def test_what_is_no_orcid_id_is_none(spelt: str | None) -> None:
    assert orcid(spelt) is None


@pytest.mark.parametrize("spelt", ["db/Zoë", "DB/ZOË", " db/zoë ", unicodedata.normalize("NFD", "db/Zoë")])
def test_the_name_of_an_account_has_one_form(spelt: str) -> None:
    assert user_name(spelt) == "db/zoë"


@given(st.text(max_size=8))
def test_the_form_of_a_name_has_itself_as_its_form(text: str) -> None:
    assert user_name(user_name(text)) == user_name(text)


@pytest.mark.parametrize("spelt", RUNS)
def test_a_dataset_under_another_spelling_of_its_folder_is_the_same(
    send: Send, plain: Any, spelt: str
) -> None:
    assert send(dataset_message()).outcome is Outcome.ACKED
    files = [{"location": f"{spelt.strip()}/./a.h5"}, {"location": f"{spelt.strip()}//c.h5"}]
    assert send(dataset_message(location=spelt, datafiles=files)).outcome is Outcome.ACKED
    assert plain.search("SELECT d.location FROM Dataset d") == [RUN]
    locations = plain.search("SELECT f.location FROM Datafile f ORDER BY f.location")
    assert locations == [f"{RUN}/{name}.h5" for name in "abc"]


def test_a_dataset_that_icat_has_in_another_spelling_is_found(
    send: Send, plain: Any, icat: IcatClient, caplog: pytest.LogCaptureFixture
) -> None:
    send(dataset_message())
    wire = icat.shared.wire
    (record,) = wire.search("SELECT d FROM Dataset d INCLUDE 1")
    wire.update(record, location="/data//visit/run1/")
    assert send(dataset_message()).outcome is Outcome.ACKED
    assert plain.search("SELECT d.location FROM Dataset d") == ["/data//visit/run1/"]
    assert "location" not in caplog.text


def updated(icat: IcatClient, path: str) -> Delivery:
    """Set a parameter on the dataset of a folder."""
    body = {
        "proposal": "20250330096",
        "beamline": "bl06",
        "datasetPaths": [path],
        "metadataName": "Sample_description",
        "metadataValue": "blue",
    }
    return deliver_to(DATASET_METADATA, body, icat)


@pytest.mark.parametrize("stored", [RUN, f"{RUN}/"])
@pytest.mark.parametrize("spelt", RUNS)
def test_metadata_reach_the_dataset_of_a_folder_in_any_spelling(
    send: Send, plain: Any, icat: IcatClient, spelt: str, stored: str
) -> None:
    send(dataset_message())
    wire = icat.shared.wire
    (record,) = wire.search("SELECT d FROM Dataset d INCLUDE 1")
    wire.update(record, location=stored)
    assert updated(icat, spelt).outcome is Outcome.ACKED
    assert parameters_of(plain)["run1"]["Sample_description"] == "blue"


@pytest.mark.parametrize("first", ["raw", "processed"])
@pytest.mark.parametrize("spelt", RUNS)
def test_inputs_are_linked_in_any_spelling_of_their_folders(
    send: Send, plain: Any, icat: IcatClient, spelt: str, first: str
) -> None:
    raw = dataset_message(datafiles=None)
    processed = dataset_message(
        name="made",
        location="/data//processed/",
        datafiles=None,
        parameters=[{"name": "input_datasets", "value": spelt}],
    )
    for message in (raw, processed) if first == "raw" else (processed, raw):
        delivery = send(message)
        assert delivery.outcome is Outcome.ACKED
        assert follow(delivery, DATASET_LINKS, icat).error is None
    assert link_lists(plain)["made"]["input_datasetIds"] == ["run1"]
    assert link_lists(plain)["run1"]["output_datasetIds"] == ["made"]


@pytest.mark.parametrize("spelt", [f"https://orcid.org/{ID}", "0000000218250097", f"ORCID: {ID}"])
def test_a_user_has_their_orcid_id_in_one_form(icat: IcatClient, plain: Any, spelt: str) -> None:
    message = user_message(ORCID=spelt, user_list=accounts("db/ada"))
    assert deliver_to(USERS, message, icat).outcome is Outcome.ACKED
    assert plain.search("SELECT u.orcidId FROM User u WHERE u.name = 'db/ada'") == [f"https://orcid.org/{ID}"]


def test_an_orcid_id_that_is_none_is_left_out_and_the_log_names_whose(
    icat: IcatClient, plain: Any, caplog: pytest.LogCaptureFixture
) -> None:
    deliver_to(USERS, user_message(ORCID=ID, user_list=accounts("db/ada")), icat)
    for wrong in ("0000-0002-1825-0098", "c4n4ry" * 100):
        message = user_message(ORCID=wrong, user_list=accounts("db/ada"))
        assert deliver_to(USERS, message, icat).outcome is Outcome.ACKED
        assert wrong not in caplog.text
    assert plain.search("SELECT u.orcidId FROM User u WHERE u.name = 'db/ada'") == [f"https://orcid.org/{ID}"]
    assert f"user {user_message()['id']}: what the message gives as ORCID iD is none" in caplog.text


@pytest.mark.parametrize("composed", ["said", "member"])
def test_a_member_is_found_in_any_spelling_of_their_name(
    icat: IcatClient, sync: Sync, plain: Any, composed: str
) -> None:
    said = member = unicodedata.normalize("NFD", "db/Zoë")
    if composed == "said":
        said = user_name(said)
    else:
        member = user_name(member)
    assert deliver_to(USERS, user_message(user_list=accounts(said)), icat).outcome is Outcome.ACKED
    assert sync(user_list=members("Participant", f" {member.upper()} ")).outcome is Outcome.ACKED
    assert roles(read(plain)) == [("db/zoë", "Participant")]


def test_an_account_that_icat_has_in_another_spelling_is_no_second_one(icat: IcatClient, plain: Any) -> None:
    decomposed = unicodedata.normalize("NFD", "db/zoë")
    icat.shared.wire.create(_user(decomposed))
    assert deliver_to(USERS, user_message(user_list=accounts("db/Zoë")), icat).outcome is Outcome.ACKED
    assert len(plain.search("SELECT u.id FROM User u WHERE u.name LIKE 'db/zo%'")) == 1


def _user(name: str) -> Any:
    from pacer_icat import Bean

    return Bean("User", {"name": name, "fullName": "Zoë"})
