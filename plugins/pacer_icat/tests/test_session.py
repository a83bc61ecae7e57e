"""One login for a process: made when needed, renewed in time, found again after ICAT was away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pacer_core import Secret
from pacer_icat import IcatAway, IcatClient, IcatFault
from pacer_icat.client import Shared
from pacer_icat.pythonicat.beans import EntityError
from pacer_icat.session import Session
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.crashing import in_threads
from plugins.pacer_icat.tests.support import options_for

MINUTE = 60.0


class Clock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def session(icat_server: IcatSandbox, clock: Clock) -> Iterator[Session]:
    shared = Shared(options_for(icat_server))
    made = Session(shared.options, shared.wire._ask, clock)
    yield made
    made.close()
    shared.close()


def test_a_session_is_renewed_at_half_of_its_life(
    session: Session, icat_server: IcatSandbox, clock: Clock
) -> None:
    first = session.id()
    for _ in range(20):
        clock.now += 30 * MINUTE
        assert session.id() == first
    calls = icat_server.misbehave.calls
    assert (calls["login"], calls["refresh"]) == (1, 10)  # it lasts for 120 minutes
    session.close()
    assert calls["logout"] == 1


def test_threads_that_come_at_once_log_in_and_renew_once(
    session: Session, icat_server: IcatSandbox, clock: Clock
) -> None:
    calls = icat_server.misbehave.calls
    icat_server.misbehave.slow(0.05, "login")
    icat_server.misbehave.slow(0.05, "refresh")
    seen: set[str] = set()
    in_threads(lambda _: seen.add(session.id()), 8)
    clock.now += 70 * MINUTE
    in_threads(lambda _: seen.add(session.id()), 8)
    assert len(seen) == 1
    assert (calls["login"], calls["refresh"]) == (1, 1)


def test_a_session_that_ended_while_nothing_was_asked_is_opened_anew(
    session: Session, icat_server: IcatSandbox, clock: Clock
) -> None:
    first = session.id()
    icat_server.expire_sessions()
    clock.now += 300 * MINUTE
    assert session.id() != first
    assert icat_server.misbehave.calls["login"] == 2


def test_a_renewal_that_icat_does_not_answer_is_tried_again(
    session: Session, icat_server: IcatSandbox, clock: Clock
) -> None:
    first = session.id()
    clock.now += 70 * MINUTE
    icat_server.misbehave.away()
    with pytest.raises(IcatAway):
        session.id()
    icat_server.misbehave.away(False)
    assert session.id() == first
    assert icat_server.misbehave.calls["login"] == 1


def test_threads_that_lose_the_session_log_in_once(icat_server: IcatSandbox) -> None:
    shared = Shared(options_for(icat_server))
    clients = [IcatClient(shared) for _ in range(8)]

    def work(place: int) -> None:
        for _ in range(5):
            assert clients[place].objects("Facility").count() == 1

    in_threads(work, 8)
    assert icat_server.misbehave.calls["login"] == 1
    icat_server.expire_sessions()
    in_threads(work, 8)
    shared.close()
    assert icat_server.misbehave.calls["login"] == 2
    assert icat_server.misbehave.calls["logout"] == 1


def test_a_restart_of_icat_is_survived() -> None:
    with IcatSandbox(seed="demo") as server:
        shared = Shared(options_for(server))
        icat = IcatClient(shared)
        facility = icat.one("Facility")
        server.stop()
        with pytest.raises(IcatAway):
            icat.one("Facility")
        server.expire_sessions()
        server.start()
        assert icat.one("Facility") == facility
        assert icat.python_icat.getUserName() == "simple/root"
        server.stop()
        server.start()
        icat.new("Technique", name="t").create()
        assert icat.objects("Technique").count() == 1
        assert server.misbehave.calls["login"] == 2
        shared.close()


def test_an_account_that_is_refused_waits_for_somebody_to_correct_it(icat_server: IcatSandbox) -> None:
    shared = Shared(options_for(icat_server, password=Secret("not that one")))
    with pytest.raises(IcatAway, match="correct authenticator, username or password") as caught:
        IcatClient(shared).objects("Facility").count()
    assert "not that one" not in repr(caught.value.__cause__) + str(caught.value)
    shared.close()


def test_python_icat_clients_of_further_threads_are_born_without_icat(icat_server: IcatSandbox) -> None:
    shared = Shared(options_for(icat_server))
    IcatClient(shared).new("Technique")
    calls = icat_server.misbehave.calls
    assert calls["getEntityInfo"] == 54
    icat_server.misbehave.away()

    def work(_: int) -> None:
        client = IcatClient(shared)
        assert client.new("Technique", name="x").name == "x"
        assert client.python_icat is not client.python_icat.clone()

    in_threads(work, 4)
    assert (calls["getEntityInfo"], calls["getApiVersion"], calls["getEntityNames"]) == (54, 1, 1)
    shared.close()


def test_threads_that_start_at_once_ask_for_the_schema_once(icat_server: IcatSandbox) -> None:
    shared = Shared(options_for(icat_server))
    in_threads(lambda _: IcatClient(shared).search("Facility"), 4)
    calls = icat_server.misbehave.calls
    assert (calls["getEntityInfo"], calls["login"]) == (54, 1)
    shared.close()


def test_no_thread_ends_the_session_of_the_others(icat: IcatClient, icat_server: IcatSandbox) -> None:
    icat.one("Facility")
    icat.python_icat.logout()
    icat.python_icat.refresh()
    icat.python_icat.cleanup()
    with pytest.raises(EntityError, match="shares the login of its process"):
        icat.python_icat.login("simple", {})
    icat.one("Facility")
    assert icat_server.misbehave.calls["login"] == 1
    assert icat_server.misbehave.calls["logout"] == 0
    icat.python_icat.sessionId = "another"
    assert icat.python_icat.getRemainingMinutes() > 100
    with pytest.raises(IcatFault):
        icat.python_icat.search("SELECT")


@pytest.mark.parametrize("operation", ["login", "getRemainingMinutes", "getEntityInfo"])
def test_no_message_is_blamed_for_what_fails_before_it_is_looked_at(
    icat_server: IcatSandbox, operation: str
) -> None:
    icat_server.misbehave.fail("internal", every=1, operation=operation)
    shared = Shared(options_for(icat_server))
    if operation == "getRemainingMinutes":  # the session itself is good
        assert shared.wire.search("SELECT COUNT(o) FROM User o")
    else:
        with pytest.raises(IcatAway, match=operation) as raised:
            shared.wire.search("SELECT o FROM User o WHERE o.name = 'db/jdoe'")
        assert "correct" not in str(raised.value)
    icat_server.misbehave.clear()
    assert shared.wire.search("SELECT o FROM User o WHERE o.name = 'db/jdoe'")
    shared.close()
