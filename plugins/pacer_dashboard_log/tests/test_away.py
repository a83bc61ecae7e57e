"""A dashboard that is away: nothing waits for it, and what it has missed is on disk or counted."""

from __future__ import annotations

import json
import sqlite3
import stat
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from pacer_core import Delivery, Envelope, Outcome, PacerError, RefusedError, SettledContext
from pacer_core.testing import settled_context
from pacer_dashboard_log import DASHBOARD, DashboardOptions, sender
from tests.support import eventually


@define(eq=False)
class Broker:
    """Takes records, or does not."""

    folder: Path
    fails: int = 0
    """How many times it is away; -1 for ever."""
    fails_after: bool = False
    """Whether it has taken the records when the connection breaks."""
    room: int | None = None
    """How many of the records that come at once it takes."""
    too_large: int = 1 << 20
    """Bytes over which it refuses a record for what it is."""
    closed: str = "nothing"
    """A routing key for which it takes nothing."""
    taken: list[dict[str, Any]] = field(factory=list)
    open: threading.Event = field(factory=threading.Event)
    lost: int = 0

    def __attrs_post_init__(self) -> None:
        self.open.set()

    @property
    def ctx(self) -> SettledContext:
        def lose(records: int) -> None:
            self.lost += records

        return settled_context("parcels", folder=self.folder, publish=self.publish, lost=lose)

    def publish(
        self, exchange: str, key: str, bodies: Sequence[bytes], content_type: str
    ) -> list[PacerError | None]:
        self.open.wait(60)
        if key == self.closed:
            return [PacerError("no queue takes it") for _ in bodies]
        if self.fails:
            self.fails -= 1
            if self.fails_after:
                self.take(bodies)
            raise PacerError("no queue takes messages of exchange 'dashboard-logging-exchange'")
        self.take([body for body in bodies if len(body) <= self.too_large][: self.room])
        if self.room is not None and len(bodies) > self.room:
            raise PacerError("the broker refused a message")
        return [RefusedError("too large") if len(body) > self.too_large else None for body in bodies]

    def take(self, bodies: Sequence[bytes]) -> None:
        self.taken += [json.loads(body) for body in bodies]

    @property
    def payloads(self) -> list[str]:
        return [record["payload"] for record in self.taken]


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Broker:
    """A broker, which is tried again at once where it is away."""
    monkeypatch.setattr(sender, "BACKOFF", (0.01,))
    monkeypatch.setattr(sender, "TURN", 0.01)
    return Broker(tmp_path / "state")


JSON = DashboardOptions(format="json")


def parcel(body: str) -> Delivery:
    return Delivery(Envelope(body.encode(), "parcels"), "parcels", Outcome.ACKED)


def test_records_wait_while_the_dashboard_is_away_and_come_in_order(broker: Broker) -> None:
    broker.fails = 3
    with DASHBOARD.open(JSON) as dashboard:
        for number in range(250):
            dashboard.note(parcel(str(number)), broker.ctx)
        eventually(lambda: len(broker.taken) == 250)
    assert broker.payloads == [str(number) for number in range(250)]
    assert broker.lost == 0


def test_nobody_waits_for_a_dashboard_that_is_slow(broker: Broker) -> None:
    broker.open.clear()
    with DASHBOARD.open(JSON) as dashboard:
        for number in range(100):
            dashboard.note(parcel(str(number)), broker.ctx)
        assert broker.taken == []
        broker.open.set()
    assert broker.payloads == [str(number) for number in range(100)]


def test_what_is_on_disk_outlives_the_process(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "BACKOFF", (600.0,))
    broker.fails = -1
    with DASHBOARD.open(JSON) as dashboard:
        dashboard.note(parcel("first"), broker.ctx)
    assert broker.taken == []
    broker.fails = 0
    with DASHBOARD.open(JSON) as dashboard:
        dashboard.note(parcel("second"), broker.ctx)
        eventually(lambda: len(broker.taken) == 2)
    assert broker.payloads == ["first", "second"]


def test_a_crash_after_the_confirm_repeats_records_that_can_be_told_by_their_id(broker: Broker) -> None:
    broker.fails, broker.fails_after = 1, True
    with DASHBOARD.open(JSON) as dashboard:
        dashboard.note(parcel("a"), broker.ctx)
        eventually(lambda: len(broker.taken) == 2)
    first, second = broker.taken
    assert first == second
    assert first["id"]


def test_what_does_not_fit_on_disk_is_counted_and_the_rest_is_sent(broker: Broker) -> None:
    broker.open.clear()
    with DASHBOARD.open(DashboardOptions(format="json", buffer_m_bytes=1)) as dashboard:
        for number in range(5):
            dashboard.note(parcel(str(number) * 400_000), broker.ctx)
        broker.open.set()
        eventually(lambda: len(broker.taken) == 2)
        dashboard.note(parcel("later"), broker.ctx)
    assert [payload[0] for payload in broker.payloads] == ["0", "1", "l"]
    assert broker.lost == 3


def test_a_disk_that_takes_nothing_is_counted(broker: Broker) -> None:
    broker.folder.parent.mkdir(exist_ok=True)
    broker.folder.write_text("a file in the place of the folder")
    with DASHBOARD.open(JSON) as dashboard, pytest.raises((OSError, sqlite3.Error)):
        dashboard.note(parcel("a"), broker.ctx)
    assert broker.lost == 1


def test_several_processes_share_a_disk_and_each_record_is_sent_once(broker: Broker) -> None:
    def work(name: str) -> None:
        with DASHBOARD.open(JSON) as dashboard:
            for number in range(100):
                dashboard.note(parcel(f"{name} {number}"), broker.ctx)
            eventually(lambda: len(broker.taken) == 400)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(broker.payloads)) == len(broker.payloads) == 400
    for name in "abcd":
        mine = [payload for payload in broker.payloads if payload.startswith(name)]
        assert mine == [f"{name} {number}" for number in range(100)]


def test_two_dashboards_get_their_own_records(broker: Broker) -> None:
    other = DashboardOptions(format="json", routing_key="other")
    keys: list[tuple[str, int]] = []
    publish = broker.publish

    def note_key(exchange: str, key: str, bodies: Sequence[bytes], content_type: str) -> None:
        publish(exchange, key, bodies, content_type)
        keys.append((key, len(bodies)))

    broker.open.clear()
    ctx = settled_context("parcels", folder=broker.folder, publish=note_key)
    with DASHBOARD.open(JSON) as one, DASHBOARD.open(other) as two:
        for _ in range(3):
            one.note(parcel("a"), ctx)
            two.note(parcel("b"), ctx)
        broker.open.set()
        eventually(lambda: sum(count for _, count in keys) == 6)
    assert {key for key, _ in keys} == {"message.logging", "other"}
    assert sum(count for key, count in keys if key == "other") == 3
    assert broker.payloads.count("a") == broker.payloads.count("b") == 3


def test_what_waits_is_for_pacer_s_eyes_alone(broker: Broker) -> None:
    broker.fails = -1
    with DASHBOARD.open(JSON) as dashboard:
        dashboard.note(parcel("a"), broker.ctx)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in broker.folder.iterdir()}
    assert "dashboard.sqlite" in modes
    assert set(modes.values()) == {0o600}


def test_the_disk_gets_its_room_back(broker: Broker) -> None:
    broker.open.clear()
    with DASHBOARD.open(JSON) as dashboard:
        for _ in range(50):
            dashboard.note(parcel("x" * 100_000), broker.ctx)
        broker.open.set()
        eventually(lambda: len(broker.taken) == 50)
    # About 1 MiB may stay free in it: it would be needed again.
    assert (broker.folder / "dashboard.sqlite").stat().st_size < 1_300_000


def test_a_queue_with_little_room_gets_every_record_in_the_end_and_the_first_ones_twice(
    broker: Broker,
) -> None:
    broker.room = 2
    broker.open.clear()
    with DASHBOARD.open(JSON) as dashboard:
        for number in range(20):
            dashboard.note(parcel(str(number)), broker.ctx)
        broker.open.set()
        eventually(lambda: "19" in broker.payloads, what=lambda: str(broker.payloads))
    assert sorted(set(broker.payloads), key=int) == [str(number) for number in range(20)]
    assert len(broker.payloads) <= 22


def test_a_record_that_is_refused_is_set_aside_alone_and_tried_again_by_the_next_worker(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    broker.too_large = 2000
    with DASHBOARD.open(JSON) as dashboard:
        for number in range(20):
            dashboard.note(parcel(5000 * "x" if number == 7 else str(number)), broker.ctx)
        eventually(lambda: len(broker.taken) == 19 and broker.lost)
    assert broker.payloads == [str(number) for number in range(20) if number != 7]
    assert broker.lost == 1
    assert "a record is set aside" in caplog.text
    broker.too_large = 1 << 20
    with DASHBOARD.open(JSON) as dashboard:
        dashboard.note(parcel("next"), broker.ctx)
        eventually(lambda: len(broker.taken) == 21)
    assert sorted(broker.payloads[19:]) == ["next", 5000 * "x"]


def test_where_one_queue_takes_nothing_records_for_others_are_sent(broker: Broker) -> None:
    broker.closed = "away"
    away = DashboardOptions(format="json", routing_key="away")
    with DASHBOARD.open(away) as one, DASHBOARD.open(JSON) as another:
        for number in range(5):
            one.note(parcel(f"away {number}"), broker.ctx)
            another.note(parcel(str(number)), broker.ctx)
        eventually(lambda: len(broker.taken) == 5)
        assert broker.payloads == [str(number) for number in range(5)]
        broker.closed = ""
        eventually(lambda: len(broker.taken) == 10)
    assert len(set(broker.payloads)) == 10
