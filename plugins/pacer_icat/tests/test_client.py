"""The client that a task gets, the integration, and the key."""

from __future__ import annotations

from typing import Any

import pytest

from pacer_core import NotYet, Secret
from pacer_core.testing import context
from pacer_icat import ICAT, IcatAway, IcatClient, IcatFault, IcatOptions, investigation_key
from pacer_icat.client import SeveralError, Shared
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.crashing import in_threads
from plugins.pacer_icat.tests.support import options_for


def test_one_gives_the_entity_or_says_that_it_is_not_there_yet(icat: IcatClient) -> None:
    found = icat.one("Investigation", name="hg123", facility__name="ALBA")
    assert (found.name, found.visitId) == ("hg123", "bm00")
    with pytest.raises(
        NotYet, match=r"ICAT has no Investigation of this name, visitId \('nowhere', 'bm00'\)"
    ):
        icat.one("Investigation", name="nowhere", visitId="bm00")
    with pytest.raises(NotYet, match=r"ICAT has no User of this name$"):
        icat.one("User", name="somebody")
    with pytest.raises(SeveralError):
        icat.one("Investigation", facility__name="ALBA")


@pytest.mark.parametrize("value", ["x' OR 'a' = 'a", "'", "''", "\\", ":name", "%", "😀"])
def test_whatever_a_condition_holds_is_data(icat: IcatClient, value: str) -> None:
    assert icat.search("Investigation", {"name": value}) == []
    icat.new("Technique", name=value).create()
    assert [one.name for one in icat.search("Technique", {"name": value})] == [value]


def test_conditions_may_list_values_and_ask_for_null(icat: IcatClient) -> None:
    names = [one.name for one in icat.search("Investigation", {"name__in": ["hg123", "mx-123"]})]
    assert sorted(names) == ["hg123", "mx-123"]
    assert icat.search("Investigation", {"name__in": []}) == []
    assert len(icat.search("Investigation", {"doi__isnull": True})) == 4
    assert icat.search("Investigation", {"doi__isnull": False}) == []


def test_python_icat_is_born_without_asking_for_every_entity(icat_server: IcatSandbox) -> None:
    shared = Shared(options_for(icat_server))
    IcatClient(shared).search("Facility")
    before = icat_server.misbehave.calls.copy()
    (facility,) = IcatClient(shared).search("Facility")
    asked = icat_server.misbehave.calls - before
    shared.close()
    assert facility.name == "ALBA"
    assert dict(asked) == {"search": 1}


def test_python_icat_entities_create_update_and_delete(icat: IcatClient, plain: Any) -> None:
    facility = icat.one("Facility")
    made = icat.new("Instrument", name="new", facility=facility)
    made.create()
    made.fullName = "Newest"
    made.update()
    assert plain.search("SELECT i.fullName FROM Instrument i WHERE i.name = 'new'") == ["Newest"]
    with pytest.raises(IcatFault) as caught:
        icat.new("Instrument", name="NEW", facility=facility).create()
    assert caught.value.type == "OBJECT_ALREADY_EXISTS"
    icat.python_icat.delete(made)
    assert plain.search("SELECT i FROM Instrument i WHERE i.name = 'new'") == []


def test_python_icat_survives_a_lost_session_and_a_deadlock(
    icat: IcatClient, icat_server: IcatSandbox
) -> None:
    facility = icat.one("Facility")
    icat_server.expire_sessions()
    icat_server.misbehave.fail("deadlock", at=1, operation="create")
    icat.new("Instrument", name="new", facility=facility).create()
    assert len(icat.search("Instrument", {"name": "new"})) == 1


def test_python_icat_says_when_icat_is_away(icat: IcatClient, icat_server: IcatSandbox) -> None:
    icat_server.misbehave.away()
    with pytest.raises(IcatAway):
        icat.search("Facility")
    icat_server.misbehave.away(False)
    facilities = icat.search("Facility")
    icat_server.misbehave.away()
    with pytest.raises(IcatAway):
        icat.search("Facility")
    assert len(facilities) == 1


def test_threads_share_one_login_and_the_end_logs_out(icat_server: IcatSandbox) -> None:
    assert ICAT.share is not None
    with ICAT.share(options_for(icat_server)) as shared:

        def work(_: int) -> None:
            with ICAT.open(shared.options, shared) as client:
                assert ICAT.check is not None
                ICAT.check(client)
                assert len(client.search("Facility")) == 1

        in_threads(work, 4)
        assert icat_server.misbehave.calls["login"] == 1
    assert icat_server.misbehave.calls["logout"] == 1


def test_nothing_is_asked_before_a_task_does(icat_server: IcatSandbox) -> None:
    icat_server.misbehave.away()
    assert ICAT.share is not None
    with ICAT.share(options_for(icat_server)) as shared, ICAT.open(shared.options, shared):
        pass
    assert sum(icat_server.misbehave.calls.values()) == 0


def test_the_check_tells_an_icat_that_is_away(icat: IcatClient, icat_server: IcatSandbox) -> None:
    assert ICAT.check is not None
    icat_server.misbehave.away()
    with pytest.raises(IcatAway) as caught:
        ICAT.check(icat)
    assert ICAT.is_away(caught.value)
    assert not ICAT.is_away(ValueError())


def test_the_key_is_the_name_of_the_investigation_as_icat_compares_it(icat: IcatClient) -> None:
    seen = context(integrations={ICAT: icat})
    (investigation,) = icat.search("Investigation", {"name": "hg123"})

    def key(value: str | int | None) -> str | None:
        return investigation_key(lambda _: value).of(None, seen)

    assert key("hg123") == key("HG123 ") == key(int(investigation.id)) == "HG123"
    assert key(99) is None
    assert key(None) is None


@pytest.mark.parametrize(
    "changes", [{"url": "ftp://x"}, {"url": "https://me:secret@x"}, {"url": "x"}, {"time_zone": "Barcelona"}]
)
def test_options_that_cannot_work_are_refused(changes: Any) -> None:
    good: dict[str, Any] = {
        "url": "https://x",
        "authenticator": "a",
        "username": "u",
        "password": Secret("ppp"),
    }
    with pytest.raises(ValueError, match=r"URL|credentials|zone"):
        IcatOptions(**{**good, **changes})


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://icat.example.org", "https://icat.example.org/ICATService/ICAT"),
        ("https://icat.example.org:8181/", "https://icat.example.org:8181/ICATService/ICAT"),
        ("https://x/ICATService/ICAT?wsdl", "https://x/ICATService/ICAT"),
        ("https://x/other/ICAT", "https://x/other/ICAT"),
    ],
)
def test_the_url_may_be_the_server_or_its_wsdl(url: str, endpoint: str) -> None:
    assert IcatOptions(url, "a", "u", Secret("ppp")).endpoint == endpoint
