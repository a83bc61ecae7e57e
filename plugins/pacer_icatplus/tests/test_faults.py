"""A crash at every call to ICAT and to ICAT+, and ICAT+ in all its moods: one file is repeated at most."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import define

from pacer_core import Delivery, Outcome
from pacer_http.testing import FAULTS, LATE, Reply, StandIn
from pacer_icat import IcatClient
from pacer_icat.client import Shared
from pacer_icat.schema import Entity
from pacer_icatplus import IcatPlus
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.support import options_for
from plugins.pacer_icatplus.tests.support import (
    Visit,
    client_of,
    content_of,
    deliver_to,
    in_icat,
    options_of,
    prepare,
)
from plugins.pacer_icatplus.tests.vendor import Proxy
from tests.bombs import Bomb, BombedHttp, BombedIcat, Crash

NAMES = ("a.png", "b.png", "c.png")


@define
class Site:
    """ICAT and ICAT+, and processes that come and go between them."""

    icat: IcatSandbox
    plus: StandIn
    proxy: Proxy
    visit: Visit
    http: BombedHttp
    entities: list[Entity]

    def shared(self, bomb: Bomb | None = None) -> Shared:
        """Give what a new process has of ICAT."""
        options = options_for(self.icat)
        shared = Shared(options, None if bomb is None else BombedIcat(options, bomb))
        shared.wire.schema.learn(self.entities)
        return shared

    def reset(self) -> None:
        """Begin anew."""
        self.icat.reset()
        self.proxy.stored.clear()
        shared = self.shared()
        prepare(shared)
        shared.close()

    def run(self, bomb: Bomb, message: Any) -> Delivery:
        """Let a new process handle a message."""
        before, self.http.bomb = self.http.bomb, bomb
        server = IcatPlus(options_of(self.plus.url, self.visit.root), self.http)
        try:
            return deliver_to(IcatClient(self.shared(bomb)), server, message, twice=False)
        finally:
            self.http.bomb = before

    def uploads(self) -> list[str]:
        """Give the names of the files that ICAT+ has taken, in order."""
        return [content_of(body).decode() for body, _ in self.proxy.stored]

    def shown(self) -> list[tuple[str, str]]:
        """Give what the portal would show: each path with the file whose id stands beside it."""
        shared = self.shared()
        paths, ids = in_icat(shared)
        shared.close()
        files = {given: content_of(body).decode() for body, given in self.proxy.stored}
        return [(Path(path).name, files[given]) for path, given in zip(paths, ids, strict=True)]


@pytest.fixture
def site(
    icat: IcatClient, icat_server: IcatSandbox, service: StandIn, proxy: Proxy, visit: Visit
) -> Iterator[Site]:
    """Both, with all that a process would ask ICAT first known beforehand, and three images."""
    for name in NAMES:
        visit.write(name)
    wire = icat.shared.wire
    entities = [wire.schema.entity(name) for name in wire.entity_names()]
    http = BombedHttp("ICAT+", service.url)
    yield Site(icat_server, service, proxy, visit, http, entities)
    http.close()


WHOLE = [(name, name) for name in NAMES]


@pytest.mark.parametrize(("named", "after"), [(False, True), (True, False)], ids=["found", "named"])
def test_a_crash_at_any_call_repeats_one_file_at_most(site: Site, named: bool, after: bool) -> None:
    message = site.visit.message(*([f"gallery/{name}" for name in NAMES] if named else []))
    site.reset()
    whole = Bomb()
    assert site.run(whole, message).outcome is Outcome.ACKED
    assert site.shown() == WHOLE
    assert site.uploads() == list(NAMES)
    repeated: dict[str, int] = {}
    for at in range(1, whole.count + 1):
        site.reset()
        with pytest.raises(Crash):
            site.run(Bomb(at, after), message)
        before = site.uploads()
        assert site.run(Bomb(), message).outcome is Outcome.ACKED
        assert site.shown() == WHOLE, f"after a crash at call {at} of {whole.count}"
        assert site.uploads()[: len(before)] == before
        again = site.uploads()[len(before) :]
        missing = [name for name in NAMES if name not in before]
        assert again in (missing, [*before[-1:], *missing]), f"after a crash at call {at}: {again}"
        for name in set(before) & set(again):
            repeated[name] = repeated.get(name, 0) + 1
    # Between the upload and the first write behind it, and nowhere else: one call apart, or none.
    assert repeated == dict.fromkeys(NAMES, 1)


def test_a_retry_uploads_only_what_is_missing(
    icat: IcatClient, server: IcatPlus, site: Site, service: StandIn
) -> None:
    service.fail(FAULTS["500"], to="POST", after=1)
    first = deliver_to(icat, server, site.visit.message(), twice=False)
    assert [one.kind for one in first.failures] == ["retry"]
    assert site.uploads() == ["a.png"]
    assert site.shown() == WHOLE[:1]

    second = deliver_to(icat, server, site.visit.message(), twice=False, after=first)

    assert second.outcome is Outcome.ACKED
    assert site.uploads() == list(NAMES)
    assert site.shown() == WHOLE


@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "late"])
def test_icat_plus_out_of_sorts_delays_the_message_and_loses_nothing(
    icat: IcatClient, server: IcatPlus, site: Site, service: StandIn, fault: str
) -> None:
    service.fail(FAULTS[fault], to="POST", after=1)
    first = deliver_to(icat, server, site.visit.message(), twice=False)
    assert [(one.task, one.kind) for one in first.failures] == [("upload_gallery", "retry")]
    again = 1 if FAULTS[fault].carried_out else 0  # nobody can know that it was taken
    service.behave()
    with client_of(service, site.visit.root) as later:
        assert (
            deliver_to(icat, later, site.visit.message(), twice=False, after=first).outcome is Outcome.ACKED
        )
    assert site.uploads() == [*NAMES[:1], *NAMES[1:2] * (1 + again), *NAMES[2:]]
    assert site.shown() == WHOLE


def test_a_fault_of_icat_that_nobody_understands_is_tried_again(site: Site, icat_server: IcatSandbox) -> None:
    site.reset()
    icat_server.misbehave.fail("internal", at=1, operation="createMany", entity="DatasetParameter")
    delivery = site.run(Bomb(), site.visit.message())
    assert delivery.outcome is Outcome.RETRIED
    assert "ICAT refused createMany: INTERNAL" in str(delivery.error)


def test_an_upload_is_never_sent_twice_by_itself(
    icat: IcatClient, server: IcatPlus, site: Site, service: StandIn
) -> None:
    service.fail(*[FAULTS["lost"]] * 3)
    deliver_to(icat, server, site.visit.message(), twice=False)
    assert site.uploads() == ["a.png"]


def test_an_icat_plus_that_does_not_answer_in_time_is_away(
    icat: IcatClient, site: Site, service: StandIn
) -> None:
    service.fail(LATE)
    with client_of(service, site.visit.root, timeout=timedelta(seconds=0.2)) as server:
        delivery = deliver_to(icat, server, site.visit.message(), twice=False)
    assert [one.kind for one in delivery.failures] == ["retry"]
    assert "not answered within 0.2 s" in str(delivery.error)


def test_an_icat_plus_that_is_gone_is_away(icat: IcatClient, site: Site, proxy: Proxy) -> None:
    with StandIn(proxy.answer) as gone:
        pass
    with client_of(gone, site.visit.root) as server:
        delivery = deliver_to(icat, server, site.visit.message(), twice=False)
    assert [one.kind for one in delivery.failures] == ["retry"]


@pytest.mark.parametrize(
    "answer", [{}, {"_id": None}, {"_id": ""}, {"_id": 7}, {"_id": "two words"}, [], "id"]
)
def test_an_answer_without_an_id_is_no_success(icat: IcatClient, site: Site, answer: Any) -> None:
    with StandIn(lambda _: Reply(answer)) as strange, client_of(strange, site.visit.root) as server:
        delivery = deliver_to(icat, server, site.visit.message(), twice=False)
    assert [one.kind for one in delivery.failures] == ["retry"]
    assert site.shown() == []


def test_two_processes_with_the_same_message_end_with_one_gallery(site: Site) -> None:
    """The second one begins, works and ends between two calls of the first."""

    @define
    class Interrupted(Bomb):
        def around(self, call: Any) -> Any:
            self.count += 1
            if self.count == self.at:
                site.run(Bomb(), message)
            return call()

    message = site.visit.message()
    site.reset()
    whole = Bomb()
    site.run(whole, message)
    for at in range(1, whole.count + 1):
        site.reset()
        delivery = site.run(Interrupted(at), message)
        if delivery.outcome is not Outcome.ACKED:
            assert [one.kind for one in delivery.failures] == ["retry"]
            assert site.run(Bomb(), message).outcome is Outcome.ACKED
        assert site.shown() == WHOLE, f"the second one came at call {at} of {whole.count}"
