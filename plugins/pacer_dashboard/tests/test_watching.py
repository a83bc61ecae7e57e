"""PACERs are watched by their health endpoints, and rules tell people when something is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from smtplib import SMTPRecipientsRefused
from typing import Any

import pytest
from django.core.mail.backends.locmem import EmailBackend
from django.forms.models import model_to_dict

from pacer_dashboard.alerts.engine import Limits, Standing, step
from pacer_dashboard.place import Place
from pacer_dashboard.start import prepare
from pacer_http.testing import Reply, Request, StandIn

NOW = datetime(2026, 9, 21, 6, tzinfo=UTC)
METRICS = b"""# HELP pacer_queue_messages_ready messages that wait at the broker
# TYPE pacer_queue_messages_ready gauge
pacer_queue_messages_ready{queue="datasets"} 12.0
# TYPE pacer_queue_messages_dead gauge
pacer_queue_messages_dead{queue="datasets"} 3.0
# TYPE pacer_broker_up gauge
pacer_broker_up 1.0
"""
WORKER = {
    "name": "key:investigation", "kind": "worker", "pid": 7, "state": "reading", "trouble": "", "starts": 1,
    "crashes": 0, "in_hand": 4, "consumers": ["datasets"], "open_breakers": ["icat"], "keys": [],
    "queues": {"datasets": 4}, "published": 0,
}  # fmt: skip


def health(request: Request) -> Reply:
    """Answer as `pacer run` does: docs/reference/metrics.md, and what `/status` gives."""
    if request.path == "/readyz":
        return Reply({"ready": True, "reasons": [], "advice": ["integration icat is away"]})
    if request.path == "/status":
        return Reply({"version": "0.1.0", "pid": 1, "config": "/etc/pacer.yaml", "workers": [WORKER]})
    return Reply(METRICS, headers={"Content-Type": "text/plain"})


def test_a_pacer_that_does_not_answer_is_said_to_with_since_when(
    empty: Place, http_stand_in: Callable[..., StandIn]
) -> None:
    from pacer_dashboard.system import watching

    stand_in = http_stand_in(health)
    url = stand_in.url
    (seen,) = watching.look([url], NOW)
    assert seen.answers
    assert [(one.name, one.ready, one.dead, one.in_hand) for one in seen.queues] == [("datasets", 12, 3, 4)]
    assert (seen.dead, seen.said["breakers"], seen.said["ready"]) == (3, ["icat"], True)
    asked = len(stand_in.requests)
    watching.look([url], NOW + timedelta(seconds=1))
    assert len(stand_in.requests) == asked  # what is fresh is not asked anew
    stand_in.close()
    for minutes in (5, 9):
        (seen,) = watching.look([url], NOW + timedelta(minutes=minutes))
        assert not seen.answers
        assert seen.since == NOW + timedelta(minutes=5)
        assert (seen.answered_at, seen.dead) == (NOW, 3)
        assert "nobody answers" in seen.why


def test_each_host_behind_a_name_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    from pacer_dashboard.system.watching import PACERS, addresses

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        """Answer as a cluster's DNS does for a headless Service; of a name that is none, with an error."""
        if host != "pacer-pods":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        four = [(socket.AF_INET, 1, 6, "", (f"10.0.0.{one}", port)) for one in (7, 4)]
        return [*four, (socket.AF_INET6, 1, 6, "", ("fd00::1", port, 0, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    said = "dns+http://pacer-pods:9807/, http://10.0.0.4:9807 dns+http://gone:9807 dns+http://gone:x"
    assert addresses({PACERS: said}) == (
        "http://10.0.0.4:9807", "http://10.0.0.7:9807", "http://gone:9807", "http://gone:x",
    )  # fmt: skip


def test_an_address_that_is_none_is_said_and_no_password_is_shown() -> None:
    from pacer_dashboard.system.watching import PACERS, addresses, ask

    said = addresses({PACERS: "http://me:s3cret@ingest-1:9807 ftp://ingest-2 ingest-3:9807"})
    assert said == ("http://***@ingest-1:9807", "ftp://ingest-2", "ingest-3:9807")
    assert all(str(ask(one)).startswith(PACERS) for one in said)


def test_an_alert_is_raised_and_over_with_something_in_between() -> None:
    limits = Limits(10, 5, timedelta(minutes=10), timedelta(hours=2))
    standing, said = Standing(), []
    values = [
        (0, 12),
        (5, 12),
        (10, 12),
        (11, 9),
        (12, 12),
        (60, 20),
        (131, 11),
        (140, 5),
        (141, 7),
        (142, 11),
    ]
    for minute, value in values:
        standing, what = step(standing, value, limits, NOW + timedelta(minutes=minute))
        if what:
            said.append((minute, what))
    assert said == [(10, "raised"), (131, "still"), (140, "over")]
    assert step(standing, None, limits, NOW) == (standing, None)


def test_rules_measure_and_tell_each_once_and_try_again_where_nobody_could_be_told(
    stored: Place, http_stand_in: Callable[..., StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.conf import settings
    from django.core import mail

    from pacer_dashboard.alerts import watch
    from pacer_dashboard.models import AlertEvent, AlertRule, CheckRun

    monkeypatch.setattr(settings, "EMAIL_BACKEND", "django.core.mail.backends.locmem.EmailBackend")
    monkeypatch.setattr(settings, "EMAIL_HOST", "mail.example.org")
    mail.outbox = []
    posted: list[Any] = []

    def answer(request: Request) -> Reply:
        posted.append(request.json())
        return Reply({})

    stand_in = http_stand_in(answer)
    more: dict[str, Any] = {"mail": "a@example.org\nb@example.org", "webhook": f"{stand_in.url}/hooks/s3cret"}
    AlertRule.objects.create(
        name="rate", kind="error-rate", window_minutes=1440, raise_at=5, clear_at=1, **more
    )
    AlertRule.objects.create(name="silence <@all>", kind="silence", type="user-sync", raise_at=60, **more)
    AlertRule.objects.create(name="away", kind="dead", match="DataCite", window_minutes=1440, **more)
    AlertRule.objects.create(name="calm", kind="silence", type="no-such-type", raise_at=1, **more)
    AlertRule.objects.create(name="checks", kind="check-overdue", raise_at=48, **more)
    CheckRun.objects.create(at=NOW - timedelta(hours=3), finished_at=NOW, trouble="ICAT is away")
    now = NOW + timedelta(hours=6)
    stand_in.fail(*[_fault()] * 2)
    events = {one.rule.name: one for one in watch.look(now)}
    assert set(events) <= {"rate", "silence <@all>", "away"}
    assert "rate" in events
    refused = [*AlertEvent.objects.exclude(trouble="")]
    assert len(refused) == min(2, len(events))
    assert all("s3cret" not in one.trouble and one.told == ["mail"] for one in refused)
    watch.look(now + timedelta(minutes=1))
    assert not AlertEvent.objects.exclude(trouble="").exists()
    assert AlertEvent.objects.count() == len(events)
    assert len(posted) == len(events)
    assert [one.to for one in mail.outbox] == [["a@example.org"], ["b@example.org"]] * len(events)
    told = " ".join(one["text"] for one in posted)
    assert all(set(one) == {"text"} for one in posted)
    assert "<" not in told
    assert "@all" not in told
    told_by, trouble = watch.test(AlertRule.objects.get(name="calm"))
    assert (told_by, trouble) == (["mail", "webhook"], "")
    assert "TEST: calm" in posted[-1]["text"]


class Refuses(EmailBackend):
    """Takes mail as a server does that knows one person and not the other."""

    def send_messages(self, messages: Any) -> int:
        for one in messages:
            if one.to == ["b@example.org"]:
                raise SMTPRecipientsRefused({one.to[0]: (550, b"no such user")})
        return int(super().send_messages(messages))


def test_an_address_that_the_mail_server_refuses_is_said_and_keeps_no_other_from_being_told(
    empty: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.conf import settings
    from django.core import mail

    from pacer_dashboard.alerts import watch
    from pacer_dashboard.models import AlertEvent, AlertRule, CheckRun

    monkeypatch.setattr(settings, "EMAIL_BACKEND", f"{__name__}.Refuses")
    monkeypatch.setattr(settings, "EMAIL_HOST", "mail.example.org")
    mail.outbox = []
    AlertRule.objects.create(
        name="checks", kind="check-overdue", raise_at=48, mail="a@example.org\nb@example.org\nc@example.org"
    )
    CheckRun.objects.create(at=NOW - timedelta(days=3))
    for minute in range(3):
        watch.look(NOW + timedelta(minutes=minute))
        event = AlertEvent.objects.get()
        assert (event.told, "b@example.org" in event.trouble) == (["mail"], True)
    assert [one.to for one in mail.outbox] == [["a@example.org"], ["c@example.org"]]


def test_two_services_tell_what_there_is_to_tell_once(
    each_empty: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import connections

    from pacer_dashboard.alerts import watch
    from pacer_dashboard.models import AlertRule, CheckRun

    told: list[str] = []

    def look() -> None:
        watch.look(NOW)
        connections.close_all()

    def tell(_: AlertRule, subject: str, *args: Any, **kwargs: Any) -> tuple[list[str], str]:
        told.append(subject)
        if len(told) == 1:  # the other service looks while this one tells
            with ThreadPoolExecutor(1) as other:
                other.submit(look).result()
        return ["mail"], ""

    monkeypatch.setattr(watch, "tell", tell)
    AlertRule.objects.create(name="checks", kind="check-overdue", raise_at=48)
    CheckRun.objects.create(at=NOW - timedelta(days=3))
    assert len(watch.look(NOW)) == 1
    assert told == ["[PACER] ALERT: checks"]
    assert watch.look(NOW) == []
    assert len(told) == 1


def test_a_rule_that_watches_something_else_is_not_over_and_one_that_is_switched_off_tells_nobody(
    stored: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pacer_dashboard.alerts import rules, watch
    from pacer_dashboard.models import AlertRule
    from pacer_dashboard.query import EVERYTHING

    told: list[str] = []

    def tell(_: AlertRule, subject: str, *args: Any, **kwargs: Any) -> tuple[list[str], str]:
        told.append(subject)
        return [], "nobody could be told"

    monkeypatch.setattr(watch, "tell", tell)
    now = NOW + timedelta(days=30)
    rule = AlertRule.objects.create(name="silence", kind="silence", raise_at=60, clear_at=60)
    watch.look(now)
    assert told == ["[PACER] ALERT: silence"]

    def save(**changes: Any) -> None:
        rule.refresh_from_db()
        form = rules.RuleForm({**model_to_dict(rule, rules.FIELDS), **changes}, instance=rule)
        assert form.is_valid(), form.errors
        rules.save(EVERYTHING, form)

    save(enabled=False)
    watch.look(now + timedelta(minutes=1))
    assert len(told) == 1
    save(enabled=True, kind="error-rate", raise_at=100, clear_at=100)
    events = watch.look(now + timedelta(minutes=2))
    assert events == []


def test_a_message_of_the_future_hides_no_silence(stored: Place) -> None:
    from pacer_dashboard.alerts.measuring import measure
    from pacer_dashboard.models import AlertRule, Message

    now = NOW + timedelta(days=1)
    rule = AlertRule(name="silence", kind="silence")
    before = measure(rule, now).value
    assert before is not None
    Message.objects.filter(pk=Message.objects.order_by("arrived").values("pk")[:1]).update(
        arrived=now + timedelta(days=365)
    )
    assert measure(rule, now).value == before


def _fault() -> Any:
    from pacer_http.testing import refusal

    return refusal(500)


def test_a_rule_for_dead_messages_reads_by_an_index_those_that_can_have_died_in_its_window(
    new_place: Callable[[str, str], Place],
) -> None:
    from django.db import connection, connections
    from django.test.utils import CaptureQueriesContext

    from pacer_dashboard.alerts.measuring import LONGEST, measure
    from pacer_dashboard.models import AlertRule, Message
    from pacer_dashboard.upkeep import months

    prepare(new_place("postgresql", "filled"))
    months.ensure(1, today=date(2025, 1, 1))
    last = Message.objects.filter(state="dead").latest("finished")
    rule = AlertRule(name="deaths", kind=AlertRule.Kind.DEAD, window_minutes=60)
    before = measure(rule, last.finished).value or 0
    assert before > 0
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")  # which is best for a few rows
        with CaptureQueriesContext(connection) as asked:
            measure(rule, last.finished)
        cursor.execute("EXPLAIN " + asked[0]["sql"])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "troubled_2026" in plan
    assert "Seq Scan" not in plan
    assert "state" in "".join(re.findall(r"Index Cond: .*", plan))
    assert not re.findall(r"calm|troubled_2025", plan), plan
    Message.objects.filter(pk=last.pk).update(finished=last.finished + LONGEST)
    assert measure(rule, last.finished + LONGEST).value == 1
    connections.close_all()
