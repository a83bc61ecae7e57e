"""Messages are sent again: what is said to be sent was confirmed, and what was not says why (W17, W18)."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import amqp
import pytest
from django.db import DatabaseError

from pacer_dashboard.again import who
from pacer_dashboard.models import Batch
from pacer_dashboard.place import Place
from pacer_dashboard.query import NOBODY
from pacer_dashboard.start import prepare
from tests.services import RabbitMQ
from tests.services.base import free_port
from tests.support import eventually

EXCHANGE = "datasets-exchange"
Start = Callable[..., Batch]


@contextmanager
def channel(node: RabbitMQ, vhost: str) -> Iterator[Any]:
    with amqp.Connection(f"127.0.0.1:{node.port}", virtual_host=vhost) as connection:
        yield connection.channel()


@pytest.fixture
def site(rabbitmq: RabbitMQ, rabbitmq_vhost: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A broker that has the exchange and the queue of datasets, and nothing for users."""
    monkeypatch.delenv("PACER_CONFIG", raising=False)
    for name, value in {"HOST": "127.0.0.1", "PORT": str(rabbitmq.port), "VHOST": rabbitmq_vhost}.items():
        monkeypatch.setenv(f"RMQ_{name}", value)
    with channel(rabbitmq, rabbitmq_vhost) as open_:
        open_.exchange_declare(EXCHANGE, "direct", durable=True, auto_delete=False)
        open_.queue_declare("datasets-queue", durable=True, auto_delete=False)
        open_.queue_bind("datasets-queue", EXCHANGE, "datasets.sync")
        yield open_


@pytest.fixture
def start(each_stored: Place) -> Start:
    """Begin a batch as somebody who may do everything."""
    from django.contrib.auth.models import User

    from pacer_dashboard.access.viewers import viewer_of

    operator = viewer_of(User.objects.create_superuser("operator"))

    def start(*ids: str, **more: Any) -> Batch:
        from pacer_dashboard.again import batches
        from pacer_dashboard.again.selection import Selection
        from pacer_dashboard.query import Filter

        selection = Selection(ids) if ids else Selection(filter=Filter(**more.pop("filter")))
        viewer = more.pop("viewer", operator)
        target = more.pop("target", batches.Target())
        return batches.start(viewer, selection, target, more.pop("reason", "the disk was full"), **more)

    return start


def dead(consumer: str, number: int = 1) -> list[Any]:
    """Give dead messages of a consumer, and one at least."""
    from pacer_dashboard.query import EVERYTHING, Filter, listing

    rows = listing.page(EVERYTHING, Filter(consumers=(consumer,), states=("dead",))).rows
    assert len(rows) >= number
    return [*rows[:number]]


def taken(open_: Any, queue: str = "datasets-queue") -> list[Any]:
    found = []
    while (message := open_.basic_get(queue, no_ack=True)) is not None:
        if isinstance(message.body, bytes):
            message.body = message.body.decode()
        found.append(message)
    return found


def items(batch: Batch) -> list[tuple[str, str]]:
    from pacer_dashboard.models import Item

    return [*Item.objects.filter(batch=batch).order_by("id").values_list("state", "reason")]


def test_a_message_is_sent_again_as_it_was_to_where_it_came_from_and_names_its_origin(
    site: Any, start: Start
) -> None:
    from pacer_dashboard.again import bodies, runner
    from pacer_dashboard.models import Audit, Lineage

    (row,) = dead("datasets")
    batch = start(row.correlation_id)
    assert runner.work_off() == 1
    assert items(batch) == [("sent", "")]
    batch.refresh_from_db()
    assert (batch.state, batch.holder) == (Batch.State.DONE, "")

    (message,) = taken(site)
    assert message.body == bodies.payload(row.correlation_id)
    assert message.properties["delivery_mode"] == 2
    assert message.properties["content_type"] == "application/json"
    new = message.properties["correlation_id"]
    assert new == message.properties["message_id"] != row.correlation_id
    assert message.headers == {
        "pacer-again-origin": row.correlation_id,
        "pacer-again-batch": str(batch.id),
        "pacer-again-times": 1,
    }
    assert Lineage.objects.get(correlation_id=new).origin == row.correlation_id
    assert [*Audit.objects.filter(action="again").values_list("actor", "subject", "note", "count")] == [
        ("operator", row.correlation_id, "the disk was full", 1)
    ]


def test_the_new_life_is_joined_to_the_old_one_when_its_record_comes(site: Any, start: Start) -> None:
    from attrs import evolve

    from pacer_dashboard import store, testing
    from pacer_dashboard.again import runner
    from pacer_dashboard.query import EVERYTHING, life

    (row,) = dead("datasets")
    start(row.correlation_id)
    runner.work_off()
    (message,) = taken(site)
    new = message.properties["correlation_id"]
    record = next(one for one in testing.lives(20, seed=9) if one.type == "dataset-ingestion")
    later = {name: row.finished + timedelta(hours=1) for name in ("first_seen", "started", "finished")}
    store.store([evolve(record, id="new", correlation_id=new, origin="", **later)])
    assert new in [one.correlation_id for one in life.life(EVERYTHING, row.correlation_id).again]
    origin = life.life(EVERYTHING, new).origin
    assert origin is not None
    assert origin.correlation_id == row.correlation_id


def test_a_message_has_its_publisher_s_headers_again_and_tells_how_often_it_went_round(
    site: Any, start: Start
) -> None:
    from attrs import evolve

    from pacer_dashboard import store, testing
    from pacer_dashboard.again import runner

    record = next(one for one in testing.lives(20, seed=9) if one.consumer == "datasets")
    store.store([evolve(record, id="a", correlation_id="first", headers={"site": "alba"})])
    start("first")
    runner.work_off()
    (message,) = taken(site)
    assert (message.headers["site"], message.headers["pacer-again-times"]) == ("alba", 1)
    second = message.properties["correlation_id"]
    store.store([evolve(record, id="b", correlation_id=second, headers=message.headers)])
    start(second)
    runner.work_off()
    (message,) = taken(site)
    assert (message.headers["site"], message.headers["pacer-again-times"]) == ("alba", 2)
    assert message.headers["pacer-again-origin"] == second


def test_what_no_queue_takes_has_failed_and_keeps_no_other_from_being_sent(site: Any, start: Start) -> None:
    from pacer_dashboard.again import batches, runner

    good, bad = dead("datasets")[0], dead("users")[0]  # there is no exchange of users
    batch = start(bad.correlation_id, good.correlation_id)
    runner.work_off()
    (failed, why), sent = items(batch)
    assert (failed, sent) == ("failed", ("sent", ""))
    assert "users-exchange" in why
    assert len(taken(site)) == 1
    nowhere = batches.Target(Batch.Target.ROUTE, EXCHANGE, "nobody.listens")
    batch = start(good.correlation_id, target=nowhere)
    runner.work_off()
    ((failed, why),) = items(batch)
    assert failed == "failed"
    assert "no queue takes" in why
    assert taken(site) == []


@pytest.mark.parametrize("wrong", ["away", "vhost", "unset"])
def test_where_the_broker_does_not_take_it_nothing_is_said_to_be_sent(
    site: Any, start: Start, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    from pacer_dashboard.again import runner
    from pacer_dashboard.models import Lineage

    if wrong == "away":
        monkeypatch.setenv("RMQ_PORT", str(free_port()))
    elif wrong == "vhost":
        monkeypatch.setenv("RMQ_VHOST", "nowhere")
    else:
        monkeypatch.delenv("RMQ_HOST")
    before = Lineage.objects.count()
    rows = dead("datasets", 2)
    batch = start(*(row.correlation_id for row in rows))
    runner.work_off(patience=0)
    said = items(batch)
    assert [state for state, _ in said] == ["failed", "failed"]
    assert all(
        ("no broker is configured" if wrong == "unset" else "cannot connect") in why for _, why in said
    )
    batch.refresh_from_db()
    assert batch.state == "done"
    assert batch.trouble == said[0][1]
    assert taken(site) == []
    assert Lineage.objects.count() == before


def test_what_a_killed_runner_was_sending_is_sent_by_the_next_one_and_says_so(
    site: Any, start: Start
) -> None:
    from pacer_dashboard.again import batches, runner
    from pacer_dashboard.models import Item

    rows = dead("datasets", 3)
    batch = start(*(row.correlation_id for row in rows))
    # As kill -9 leaves it between a publish and its confirm: one sent, one in doubt, one to come.
    taken_batch = runner._take("dead process", timedelta(seconds=-1))
    assert taken_batch is not None
    first, second, _ = Item.objects.filter(batch=batch).order_by("id")
    Item.objects.filter(id=first.id).update(state="sent")
    Item.objects.filter(id=second.id).update(state="sending")

    assert runner.work_off() == 1
    assert [state for state, _ in items(batch)] == ["sent", "sent", "sent"]
    assert "may have been sent twice" in items(batch)[1][1]
    assert len(taken(site)) == 2
    assert batches.progress(batch).twice == 1
    assert Batch.objects.get(id=batch.id).state == "done"


def test_a_batch_that_somebody_holds_is_left_to_him(site: Any, start: Start) -> None:
    from pacer_dashboard.again import runner

    batch = start(dead("datasets")[0].correlation_id)
    assert runner._take("another process", timedelta(minutes=1)) is not None
    assert runner.work_off() == 0
    assert items(batch) == [("waiting", "")]


def test_a_dry_run_sends_nothing_and_a_cancelled_batch_no_more(site: Any, start: Start) -> None:
    from pacer_dashboard.again import batches, runner
    from pacer_dashboard.query import Viewer

    row = dead("datasets")[0]
    dry = start(row.correlation_id, dry_run=True)
    cancelled = start(row.correlation_id)
    assert batches.cancel(Viewer("operator", everything=True), cancelled)
    runner.work_off()
    assert items(dry) == [("would", "")]
    assert items(cancelled) == [("cancelled", "")]
    assert taken(site) == []


def test_an_edited_payload_is_sent_where_it_has_the_form_of_the_old_one(site: Any, start: Start) -> None:
    from pacer_dashboard.again import editing, forgetting, runner

    row = dead("datasets")[0]
    edit = editing.edited('{"n": 1,\r\n"sample": "é"}', '{"n": 0}')
    batch = start(row.correlation_id, edit=edit)
    runner.work_off()
    assert items(batch) == [("sent", "")]
    (message,) = taken(site)
    assert message.body == '{"n": 1,\n"sample": "é"}'
    ended = type(batch).objects.get(id=batch.id).finished_at
    assert ended is not None
    assert forgetting.forget(ended) == 0
    assert forgetting.forget(ended + timedelta(seconds=1)) == 1
    for payload, before, why in (
        ("{'n': 1}", '{"n": 0}', "no JSON: line 1, column 2"),
        ("<a><b></a>", "<a/>", "no XML: line 1"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "<a/>", "document type"),
        (" ", "{}", "empty"),
    ):
        with pytest.raises(editing.BadEdit, match=why):
            editing.edited(payload, before)
    assert editing.edited("anything", "{broken") == "anything"


def test_a_payload_that_the_record_has_not_whole_is_not_sent(site: Any, start: Start) -> None:
    from pacer_dashboard.again import runner
    from pacer_dashboard.models import Payload, Sight

    cut, gone = dead("datasets", 2)
    Sight.objects.filter(correlation_id=cut.correlation_id).update(payload_size=10**6)
    Payload.objects.filter(correlation_id=gone.correlation_id).delete()
    batch = start(cut.correlation_id, gone.correlation_id)
    runner.work_off()
    (first, why), (second, reason) = items(batch)
    assert (first, second) == ("failed", "failed")
    assert "1,000,000 bytes" in why
    assert "not there any more" in reason
    assert taken(site) == []


def test_a_viewer_sends_again_only_what_he_may_and_a_preview_tells_what_is_mixed(start: Start) -> None:
    from pacer_dashboard.again import batches
    from pacer_dashboard.again.selection import Selection
    from pacer_dashboard.query import Filter, Right, Rule, Viewer

    users, datasets = dead("users")[0], dead("datasets")[0]
    both = Selection((users.correlation_id, datasets.correlation_id))
    everything = Viewer("operator", everything=True)
    seen = batches.preview(everything, both, batches.Target())
    assert (seen.count, seen.is_mixed) == (2, True)
    assert seen.targets == {("users-exchange", "users.sync"): 1, (EXCHANGE, "datasets.sync"): 1}
    queue = batches.preview(everything, both, batches.Target(Batch.Target.QUEUE))
    assert queue.targets == {("", "users-queue"): 1, ("", "datasets-queue"): 1}

    mine = Rule(frozenset({"dataset-ingestion"}), rights=frozenset({Right.REINGEST}))
    theirs = Rule(None, rights=frozenset({Right.VIEW, Right.ACT, Right.PERSONAL}))
    viewer = Viewer("somebody", (mine, theirs))
    assert batches.preview(viewer, both, batches.Target()).count == 1
    batch = start(users.correlation_id, datasets.correlation_id, viewer=viewer)
    assert [one.origin for one in batch.items.all()] == [datasets.correlation_id]
    everywhere = batches.preview(viewer, Selection(filter=Filter()), batches.Target())
    assert set(everywhere.types) == {"dataset-ingestion"}
    assert not batches.visible(Viewer("somebody else", (mine, theirs)), batch)
    route = batches.Target(Batch.Target.ROUTE, "", "datasets-queue")
    refusals: dict[str, dict[str, Any]] = {
        "say why": {"reason": "  "},
        "agree to that": {"target": route},
        "rate": {"rate": 0},
        "exchange, or a queue": {"target": batches.Target(Batch.Target.ROUTE)},
        "who may send any message again": {"target": route, "viewer": viewer},
        "nothing that you may": {"viewer": Viewer("nobody")},
        "one message can be edited": {"edit": "{}"},
    }
    for problem, more in refusals.items():
        with pytest.raises(batches.BadBatch, match=problem):
            start(users.correlation_id, datasets.correlation_id, **more)
    again = start(users.correlation_id, request="one form", viewer=everything)
    assert start(users.correlation_id, request="one form", viewer=everything).id == again.id


def test_a_batch_goes_no_further_than_the_rights_of_who_began_it(site: Any, start: Start) -> None:
    from django.contrib.auth.models import User

    from pacer_dashboard.access.tokens import make_token
    from pacer_dashboard.access.viewers import viewer_again, viewer_of, viewer_of_token
    from pacer_dashboard.again import acknowledging, batches, runner
    from pacer_dashboard.again.selection import Selection
    from pacer_dashboard.models.access import Role, RoleRule

    row = dead("datasets")[0]
    staff, guests = (Role.objects.create(name=name) for name in ("staff", "guests"))
    of_datasets = {"role": staff, "types": [row.type], "identifiers": {"*": ["*"]}}
    RoleRule.objects.create(**of_datasets, reingest=True, act=True)
    RoleRule.objects.create(role=guests, types=["none"], identifiers={"*": ["*"]}, reingest=True)
    user = User.objects.create_user("jane" * 37)
    user.dashboard_roles.add(staff, guests)
    names = ["script (night)" + "x" * 136] * 2
    tokens = [
        make_token(user, role, name, timedelta(days=1))[0]
        for role, name in zip((staff, guests), names, strict=True)
    ]
    people = [viewer_of(user), viewer_of_token(tokens[0])]
    for viewer in people:
        batch = start(row.correlation_id, viewer=viewer)
        assert runner.work_off() == 1
        assert items(batch) == [("sent", "")]
        assert (batch.actor, batches.visible(viewer, batch)) == (viewer.name, True)
        assert [one.id for one in batches.all_visible(viewer)] == [batch.id]
    assert len(taken(site)) == 2
    assert acknowledging.acknowledge(people[1], Selection((row.correlation_id,))) == 1
    # The other token of the same name sees and sends nothing of it, also when its namesake is withdrawn.
    assert not batches.all_visible(viewer_of_token(tokens[1]))
    assert not batches.visible(viewer_of_token(tokens[1]), batch)
    assert batches._own(people[1], "form") != batches._own(viewer_of_token(tokens[1]), "form")
    batches_ = [start(row.correlation_id, viewer=people[1])]
    guests.rules.update(types=["*"])
    tokens[0].delete()
    runner.work_off()
    batches_.append(start(row.correlation_id, viewer=people[0]))
    user.dashboard_roles.clear()
    runner.work_off()
    for batch in batches_:
        ((state, why),) = items(batch)
        assert (state, "may not send this message again any more" in why) == ("failed", True)
    assert taken(site) == []
    user.is_active = False
    user.save()
    gone = [(user.pk, None, user.username), (user.pk, tokens[1].pk, people[1].name), (None, None, "operator")]
    assert {viewer_again(*one) for one in gone} | {viewer_again(None, None, "everybody")} == {NOBODY}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_batches_of_before_are_of_whom_their_name_says_and_are_shown(
    new_place: Callable[[str, str], Place], kind: str
) -> None:
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.db import connections

    from pacer_dashboard.access.tokens import make_token
    from pacer_dashboard.access.viewers import viewer_of, viewer_of_token
    from pacer_dashboard.again import batches
    from pacer_dashboard.models import Audit
    from pacer_dashboard.models.access import Role

    prepare(new_place(kind, "empty"))
    role = Role.objects.create(name="staff")
    user, other = User.objects.create_user("jane"), User.objects.create_user("jane.doe")
    named = ("one", "two", "two")
    tokens = [make_token(user, role, name, timedelta(days=1))[0] for name in named]
    user.dashboard_roles.add(role)
    call_command("migrate", "pacer_dashboard", "0004", verbosity=0)
    with connections["default"].cursor() as cursor:
        for number, actor in enumerate(("jane", "jane (one)", "jane (two)", "gone", "everybody")):
            columns = (
                "request, actor, reason, query, target, exchange, routing_key, rate, dry_run, edited, total"
            )
            cursor.execute(
                f"INSERT INTO pacer_dashboard_batch ({columns}, state, trouble, cancelled_by, holder) VALUES "
                "(%s, %s, 'why', '', 'original', '', '', 1, %s, %s, 0, 'waiting', '', '', '')",
                [str(number), actor, False, False],
            )
        cursor.execute(
            "INSERT INTO pacer_dashboard_audit (actor, action, subject, note, count, detail) "
            "VALUES ('jane', 'again', '', '', 1, '{}')"
        )
    call_command("migrate", "pacer_dashboard", verbosity=0)
    numbers = [*Batch.objects.order_by("id").values_list("account", "token")]
    assert numbers == [(user.pk, None), (user.pk, tokens[0].pk), (None, None), (None, None), (None, None)]
    for viewer, seen in (
        (viewer_of(user), ["jane"]),
        (viewer_of(other), []),
        *((viewer_of_token(one), [f"jane ({name})"]) for one, name in zip(tokens, named, strict=True)),
        (NOBODY, []),
    ):
        assert [one.actor for one in batches.all_visible(viewer)] == seen
        assert [one.actor for one in Batch.objects.all() if batches.visible(viewer, one)] == seen
    assert [*Audit.objects.filter(who.own(viewer_of(user))).values_list("account", "actor")] == [
        (None, "jane")
    ]
    with pytest.raises(DatabaseError, match="only added to"):
        Audit.objects.update(actor="nobody")
    connections.close_all()


RUNNER = """
import sys
from datetime import timedelta
from pathlib import Path
from pacer_dashboard.place import Place
from pacer_dashboard.start import prepare
kind, where = sys.argv[1:]
prepare(Place(folder=Path(where)) if kind == "sqlite" else Place(url=where))
from pacer_dashboard.again import runner
runner.work_off(lease=timedelta(seconds=1))
"""


def test_of_two_runners_one_sends_and_what_kill_9_leaves_is_neither_lost_nor_twice_unsaid(
    site: Any, start: Start, each_stored: Place
) -> None:
    from django.db import connection

    from pacer_dashboard.again import batches, runner
    from pacer_dashboard.models import Item

    route = batches.Target(Batch.Target.ROUTE, "", "datasets-queue")
    batch = start(filter={}, target=route, mixed=True, rate=100)
    where = (
        ("sqlite", str(each_stored.folder)) if each_stored.url is None else ("postgresql", each_stored.url)
    )
    process = subprocess.Popen([sys.executable, "-c", RUNNER, *where])
    eventually(lambda: Item.objects.filter(batch=batch, state__in=("sending", "sent")).exists(), 60)
    process.kill()
    process.wait()
    together = Barrier(2)

    def work() -> int:
        try:
            together.wait()
            return runner.work_off()
        finally:
            connection.close()

    eventually(lambda: Batch.objects.filter(held_until__lt=datetime.now(UTC)).exists(), 60)
    with ThreadPoolExecutor(2) as pool:
        assert sum(one.result() for one in [pool.submit(work), pool.submit(work)]) == 1
    found = {one.sent_as: one for one in Item.objects.filter(batch=batch)}
    sent = {name for name, one in found.items() if one.state == "sent"}
    assert {one.state for one in found.values()} <= {"sent", "failed"}
    assert len(sent) > runner.TOGETHER
    went = Counter(message.properties["correlation_id"] for message in taken(site))
    assert went.keys() == sent
    doubted = {name for name in sent if found[name].sent_before}
    assert all("may have been sent twice" in found[name].reason for name in doubted)
    assert {name for name, times in went.items() if times > 1} <= doubted
    assert len(doubted) <= runner.TOGETHER
    assert max(went.values()) <= 2


def test_whoever_was_too_slow_for_his_lease_does_not_have_the_last_word(site: Any, start: Start) -> None:
    from pacer_dashboard.again import runner

    batch = start(dead("datasets")[0].correlation_id)
    slow = runner._take("slow", timedelta(minutes=1))
    assert slow is not None
    held = runner._next(slow, "slow")
    type(batch).objects.update(held_until=None)  # as if that minute were over
    assert runner._take("quick", timedelta(minutes=1)) is not None
    runner._find_again(batch)
    held[0].state = "failed"
    with pytest.raises(runner.LostError):
        runner._write_down(slow, "slow", held, "the broker is away")
    with pytest.raises(runner.LostError):
        runner._next(slow, "slow")
    with pytest.raises(runner.LostError):
        runner._give_up(slow, "slow", "the broker is away")
    assert items(batch) == [("waiting", "")]


def test_letters_are_for_those_who_may_do_so_with_messages_of_their_consumer(stored: Place) -> None:
    from types import SimpleNamespace

    from pacer_dashboard.again.letters import allowed
    from pacer_dashboard.query import Right, Rule, Viewer

    opened: Any = SimpleNamespace(consumers={"data": ("datasets", ("data-queue",))})
    mine = {"consumer": "data", "about": {"instrument": "BL01"}}
    others = {"consumer": "data", "about": {"instrument": "BL04"}}
    unknown: dict[str, Any] = {"consumer": None, "about": {}}
    rule = Rule(frozenset({"datasets"}), {"instrument": frozenset({"BL01"})}, frozenset({Right.REINGEST}))
    replays = allowed(Viewer("staff", (rule,)), opened, Right.REINGEST)
    assert [replays(one) for one in (mine, others, unknown)] == [True, False, False]
    discards = allowed(Viewer("staff", (rule,)), opened, Right.REINGEST, Right.ACT)
    assert not discards(mine)
    everything = allowed(Viewer("operator", everything=True), opened, Right.ACT)
    assert all(everything(one) for one in (mine, others, unknown))


def test_a_filter_of_letters_is_a_text_and_no_expression_that_never_ends() -> None:
    from pacer_dashboard.again.letters import Asked

    error = Asked(error="(a+)+$").choice(lambda _: True).error
    assert error is not None
    assert not re.search(error, "a" * 60 + "!")
    assert re.search(error, "wanted: (a+)+$ was found")
