"""A crash at every call to ICAT and to DataCite, and DataCite in all its moods: the same end as without."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from attrs import define

from pacer_core import Delivery, Outcome, Secret
from pacer_datacite import Datacite
from pacer_datacite.integration import DATACITE
from pacer_datacite.pace import Pace
from pacer_http import Away
from pacer_http.testing import FAULTS, LATE, LOST, StandIn, refusal
from pacer_icat import IcatClient
from pacer_icat.client import Shared
from pacer_icat.schema import Entity
from pacer_sandbox import IcatSandbox
from plugins.pacer_datacite.tests.lupo import Lupo
from plugins.pacer_datacite.tests.support import (
    DOI,
    OPTIONS,
    PASSWORD,
    REPOSITORY,
    client_of,
    complete,
    deliver_to,
    doi_in_icat,
    options_of,
)
from plugins.pacer_icat.tests.support import options_for
from tests.bombs import Bomb, BombedHttp, BombedIcat, Crash


@define
class Site:
    """ICAT and DataCite, and processes that come and go between them."""

    icat: IcatSandbox
    datacite: StandIn
    lupo: Lupo
    http: BombedHttp
    entities: list[Entity]

    def reset(self) -> None:
        """Begin anew."""
        self.icat.reset()
        self.lupo.dois.clear()
        shared = Shared(options_for(self.icat))
        shared.wire.schema.learn(self.entities)
        complete(shared)
        shared.close()

    def run(self, bomb: Bomb, after: Delivery | None = None) -> Delivery:
        """Let a new process handle the message."""
        options = options_of(system=self.datacite.url)
        shared = Shared(options_for(self.icat), BombedIcat(options_for(self.icat), bomb))
        shared.wire.schema.learn(self.entities)
        self.http.bomb = bomb
        return deliver_to(IcatClient(shared), Datacite(options, self.http), twice=False, after=after)

    def state(self) -> Any:
        """Give all that the tasks may write."""
        shared = Shared(options_for(self.icat))
        shared.wire.schema.learn(self.entities)
        found = shared.wire.search(
            "SELECT o.name, o.visitId, o.doi, o.title FROM Investigation o ORDER BY o.id"
        )
        shared.close()
        return found, {name: (doi.state, doi.attributes) for name, doi in self.lupo.dois.items()}


@pytest.fixture
def site(icat: IcatClient, icat_server: IcatSandbox, service: StandIn, lupo: Lupo) -> Iterator[Site]:
    """Both, with all that a process would ask ICAT first known beforehand."""
    wire = icat.shared.wire
    entities = [wire.schema.entity(name) for name in wire.entity_names()]
    http = BombedHttp("DataCite", service.url, account=(REPOSITORY, OPTIONS["password"]))
    yield Site(icat_server, service, lupo, http, entities)
    http.close()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_call_is_mended_by_the_next_delivery(site: Site, after: bool) -> None:
    site.reset()
    whole = Bomb()
    assert site.run(whole).outcome is Outcome.ACKED
    expected = site.state()
    assert whole.count > 5
    for at in range(1, whole.count + 1):
        site.reset()
        with pytest.raises(Crash):
            site.run(Bomb(at, after))
        assert site.run(Bomb()).outcome is Outcome.ACKED
        assert site.state() == expected, f"after a crash at call {at} of {whole.count}"


def test_icat_that_fails_after_datacite_is_served_by_the_copy_alone(
    site: Site, icat: IcatClient, icat_server: IcatSandbox, datacite: Datacite
) -> None:
    icat_server.misbehave.fail("lost-request", at=1, operation="update", entity="Investigation")
    first = deliver_to(icat, datacite, twice=False)
    assert [one.task for one in first.failures] == ["store_doi"]
    assert first.done == ("check_investigation", "mint_proposal")
    asked = len(site.datacite.requests)

    second = deliver_to(icat, datacite, twice=False, after=first)

    assert second.outcome is Outcome.ACKED
    assert len(site.datacite.requests) == asked
    assert doi_in_icat(icat.shared) == DOI


def test_a_fault_of_icat_that_nobody_understands_is_tried_again(
    icat: IcatClient, icat_server: IcatSandbox, datacite: Datacite, lupo: Lupo
) -> None:
    icat_server.misbehave.fail("internal", at=1, operation="update", entity="Investigation")
    delivery = deliver_to(icat, datacite, twice=False)
    assert delivery.outcome is Outcome.RETRIED
    assert list(delivery.pending) == ["store_doi"]
    assert "ICAT refused update: INTERNAL" in str(delivery.error)
    assert list(lupo.dois) == [DOI]


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "late"])
def test_datacite_out_of_sorts_delays_the_message_and_loses_nothing(
    icat: IcatClient, datacite: Datacite, service: StandIn, lupo: Lupo, fault: str, method: str
) -> None:
    service.fail(*[FAULTS[fault]] * 3, to=method)
    delivery = deliver_to(icat, datacite, twice=False)
    assert [one.kind for one in delivery.failures] == ["retry"]
    assert not doi_in_icat(icat.shared)
    service.behave()
    with client_of(service, **OPTIONS) as later:
        assert deliver_to(icat, later, twice=False, after=delivery).outcome is Outcome.ACKED
    assert lupo.dois[DOI].state == "findable"
    assert doi_in_icat(icat.shared) == DOI


def test_a_lost_answer_is_asked_for_again_at_once(
    icat: IcatClient, datacite: Datacite, service: StandIn, lupo: Lupo
) -> None:
    service.fail(LOST, to="PUT")
    assert deliver_to(icat, datacite, twice=False).outcome is Outcome.ACKED
    assert lupo.dois[DOI].writes == 2
    assert list(lupo.dois) == [DOI]


def test_a_datacite_that_does_not_answer_in_time_is_away(icat: IcatClient, service: StandIn) -> None:
    service.fail(LATE, LATE, LATE)
    with client_of(service, **OPTIONS, timeout=timedelta(seconds=0.2)) as datacite:
        delivery = deliver_to(icat, datacite, twice=False)
    assert [one.kind for one in delivery.failures] == ["retry"]
    assert "not answered within 0.2 s" in str(delivery.error)


def test_a_datacite_that_is_gone_is_away(icat: IcatClient, lupo: Lupo) -> None:
    with StandIn(lupo.answer) as gone:
        pass
    with client_of(gone, **OPTIONS) as datacite:
        delivery = deliver_to(icat, datacite, twice=False)
        assert [one.kind for one in delivery.failures] == ["retry"]
        with pytest.raises(Away):
            datacite.check()


@pytest.mark.parametrize(("headers", "seconds"), [({"Retry-After": "120"}, 120.0), ({}, 60.0)])
def test_too_many_requests_leave_datacite_alone_for_a_while(
    icat: IcatClient, service: StandIn, headers: dict[str, str], seconds: float
) -> None:
    service.fail(*[refusal(429, headers, b"<html>Request blocked</html>")] * 3)
    with client_of(service, **OPTIONS) as datacite:
        first = deliver_to(icat, datacite, twice=False)
        asked = len(service.requests)
        second = deliver_to(icat, datacite, twice=False)
    assert first.delay == seconds
    assert second.delay is not None
    assert 0 < second.delay <= seconds
    assert len(service.requests) == asked


def test_our_own_limit_makes_messages_wait_at_the_broker(icat: IcatClient, service: StandIn) -> None:
    with client_of(service, **OPTIONS) as datacite:
        slow = Datacite(datacite.options, datacite._http, Pace(10, clock=lambda: 0.0))
        outcomes = [deliver_to(icat, slow, twice=False) for _ in range(6)]
    assert [one.outcome for one in outcomes] == [Outcome.ACKED] * 5 + [Outcome.RETRIED]
    assert outcomes[-1].delay is not None
    assert len(service.requests) == 10


def test_expired_credentials_make_messages_wait_and_are_not_shown(icat: IcatClient, service: StandIn) -> None:
    wrong = {**OPTIONS, "password": Secret("incorrect horse")}
    with client_of(service, **wrong) as datacite:
        delivery = deliver_to(icat, datacite, twice=False)
        assert [one.kind for one in delivery.failures] == ["retry"]
        assert "credentials" in str(delivery.error)
        assert "horse" not in str(delivery.error)
        with pytest.raises(Away, match="credentials"):
            datacite.check()


def test_nothing_that_is_logged_holds_the_password_or_a_name(
    icat: IcatClient, datacite: Datacite, service: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    service.fail(refusal(500), to="PUT")
    with caplog.at_level("INFO"):
        deliver_to(icat, datacite)
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert DOI in text
    assert not [word for word in (PASSWORD, "Doe", "Jane", "jdoe") if word in text]


@pytest.fixture
def opened(service: StandIn) -> Iterator[Datacite]:
    """The client as a worker opens it."""
    with DATACITE.open(options_of(system=service.url)) as client:
        yield client


def test_the_integration_opens_checks_and_judges(opened: Datacite, service: StandIn) -> None:
    assert DATACITE.check is not None
    DATACITE.check(opened)
    assert [one.path for one in service.requests] == ["/dois/10.5072/pacer-check"]
    assert DATACITE.is_away(Away("gone"))
    assert not DATACITE.is_away(ValueError("bad"))
