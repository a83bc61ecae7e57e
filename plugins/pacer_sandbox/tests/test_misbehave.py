"""A sandbox does wrong what it is told to do wrong."""

import json
import threading
from http.client import HTTPException
from typing import Any

import pytest

from pacer_sandbox import IcatSandbox


def test_it_is_slow_for_one_operation_on_one_entity(
    icat_server: IcatSandbox, wire: Any, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("pacer_sandbox.misbehave.time.sleep", slept.append)
    icat_server.misbehave.slow(0.5, "create", "Facility")
    icat_server.misbehave.slow(0.001, "search")

    wire.create(root, "user", "<name>u</name>")
    wire.create(root, "facility", "<name>F</name>")
    wire.values(root, "SELECT f.name FROM Facility f")

    assert slept == [0.5, 0.001]


def test_slow_calls_do_not_wait_for_each_other(
    icat_server: IcatSandbox, wire: Any, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_inside = threading.Barrier(20, timeout=20)
    monkeypatch.setattr("pacer_sandbox.misbehave.time.sleep", lambda _: all_inside.wait())
    icat_server.misbehave.slow(1, "search")
    answers: list[list[str]] = []

    def ask() -> None:
        answers.append(wire.values(root, "SELECT f.name FROM Facility f"))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [["ALBA"]] * 20


def test_away_means_503_until_it_is_back(icat_server: IcatSandbox, wire: Any) -> None:
    icat_server.misbehave.away()

    assert wire.http("POST", "/ICATService/ICAT", _login())[0] == 503
    assert wire.http("GET", "/ICATService/ICAT?wsdl")[0] == 503
    assert wire.http("GET", "/icat/version")[0] == 503

    icat_server.misbehave.away(False)
    assert wire.http("GET", "/icat/version")[0] == 200


def test_undeployed_means_payaras_page_until_it_is_back(icat_server: IcatSandbox, wire: Any) -> None:
    icat_server.misbehave.tell({"away": "undeployed"})

    for method, path in (
        ("POST", "/ICATService/ICAT"),
        ("GET", "/ICATService/ICAT?wsdl"),
        ("GET", "/icat/version"),
    ):
        status, body = wire.http(method, path, _login() if method == "POST" else None)
        assert (status, b"Payara" in body) == (404, True)

    icat_server.misbehave.away(False)
    assert wire.http("GET", "/icat/version")[0] == 200


def test_the_nth_call_fails_and_no_other(icat_server: IcatSandbox, wire: Any, root: str) -> None:
    icat_server.misbehave.fail(at=2, operation="create")

    wire.create(root, "user", "<name>one</name>")
    with pytest.raises(AssertionError, match="INTERNAL"):
        wire.create(root, "user", "<name>two</name>")
    wire.create(root, "user", "<name>three</name>")

    assert wire.values(
        root, "SELECT u.name FROM User u WHERE u.name IN ('one', 'two', 'three') ORDER BY u.id"
    ) == [
        "one",
        "three",
    ]


def test_every_second_write_ends_in_a_deadlock_and_leaves_nothing(
    icat_server: IcatSandbox, wire: Any, root: str
) -> None:
    icat_server.misbehave.deadlock(every=2)

    outcomes = []
    for number in range(6):
        try:
            wire.create(root, "user", f"<name>d{number}</name>")
            outcomes.append("")
        except AssertionError as exc:
            outcomes.append(str(exc))
        wire.values(root, "SELECT COUNT(u) FROM User u")

    assert [bool(o) for o in outcomes] == [False, True] * 3
    assert all("INTERNAL" in o and "Deadlock found when trying to get lock" in o for o in outcomes[1::2])
    assert wire.values(root, "SELECT COUNT(u) FROM User u WHERE u.name LIKE 'd_'") == ["3"]


@pytest.mark.parametrize(("how", "stored"), [("lost-request", "0"), ("lost-answer", "1")])
def test_a_connection_is_cut_before_or_after_the_work(
    icat_server: IcatSandbox, wire: Any, root: str, how: Any, stored: str
) -> None:
    icat_server.misbehave.fail(how, at=1, operation="create")

    with pytest.raises(HTTPException):
        wire.create(root, "user", "<name>cut</name>")

    assert wire.values(root, "SELECT COUNT(u) FROM User u WHERE u.name = 'cut'") == [stored]


def test_sessions_expire_when_told(icat_server: IcatSandbox, wire: Any, root: str) -> None:
    icat_server.expire_sessions()

    with pytest.raises(AssertionError, match="SESSION"):
        wire.values(root, "SELECT f.name FROM Facility f")
    assert wire.values(wire.login(), "SELECT f.name FROM Facility f") == ["ALBA"]


def test_calls_are_counted_by_operation(icat_server: IcatSandbox, wire: Any, root: str) -> None:
    icat_server.misbehave.clear()

    wire.values(root, "SELECT f.name FROM Facility f")
    wire.create(root, "user", "<name>u</name>")

    assert icat_server.misbehave.calls == {"search": 1, "create": 1}


def test_another_process_tells_it_over_http(icat_server: IcatSandbox, wire: Any, root: str) -> None:
    wishes = {"fail": [{"how": "internal", "every": 1, "operation": "search"}], "expireSessions": False}

    status, body = wire.http("POST", "/sandbox/misbehave", json.dumps(wishes))

    assert status == 200
    assert json.loads(body)["away"] is False
    with pytest.raises(AssertionError, match="INTERNAL"):
        wire.values(root, "SELECT f.name FROM Facility f")
    wire.http("POST", "/sandbox/misbehave", json.dumps({"clear": True}))
    assert wire.values(root, "SELECT f.name FROM Facility f") == ["ALBA"]


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ("no json", ""),
        ("[]", "object"),
        ('{"slow": [{"minutes": 1}]}', "minutes"),
        ('{"slow": [{"seconds": 1, "operation": "creat"}]}', "'creat'"),
        ('{"slow": [{"seconds": 1, "entity": "dataset"}]}', "'dataset' is not an ICAT entity"),
        ('{"fail": [{"how": "badly", "at": 1}]}', "'badly'"),
        ('{"faster": true}', "clear, away, slow or fail"),
    ],
)
def test_a_wish_that_is_none_is_refused_with_its_reason(wire: Any, wish: str, reason: str) -> None:
    status, told = wire.http("POST", "/sandbox/misbehave", wish)

    assert status == 400
    assert reason in told.decode()


def _login() -> bytes:
    return (
        b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:i="http://icatproject.org">'
        b"<s:Body><i:getVersion/></s:Body></s:Envelope>"
    )
