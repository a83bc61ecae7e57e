"""What programs do by the API beside messages: views, tokens, alerts and dead queues."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from pacer_dashboard.access.tokens import make_token
from pacer_dashboard.models import AlertRule, Audit
from pacer_dashboard.models.access import Role, RoleRule
from pacer_dashboard.models.tokens import Token
from pacer_dashboard.place import Place

pytestmark = pytest.mark.usefixtures("testserver")
API = "/api/v1"


class Program:
    """Who calls with a token, or with the session of its account."""

    def __init__(self, text: str = "", user: User | None = None) -> None:
        self.client = Client(headers={"Authorization": f"Bearer {text}"} if text else {})
        if user is not None:
            self.client.force_login(user)

    def __call__(self, call: str, **body: Any) -> tuple[int, Any]:
        method, path = call.split(" ")
        if method == "GET":
            answer = self.client.get(API + path, body)
        else:
            answer = self.client.generic(
                method, API + path, json.dumps(body) if body else b"{}", content_type="application/json"
            )
        return answer.status_code, answer.json() if answer.content else None


@pytest.fixture
def ada(empty: Place) -> User:
    """Somebody with two roles: `narrow`, which sees one type, and `all`, which administers."""
    user = User.objects.create_user("ada")
    narrow = Role.objects.create(name="narrow")
    RoleRule.objects.create(role=narrow, types=["users"], identifiers={"*": ["*"]})
    for role in (narrow, Role.objects.create(name="all", administers=True)):
        user.dashboard_roles.add(role)
    return user


def token(user: User, role: str, days: int = 5) -> Program:
    return Program(make_token(user, Role.objects.get(name=role), f"of {role}", timedelta(days=days))[1])


def test_a_token_makes_and_withdraws_none_but_its_like_and_none_that_outlasts_it(ada: User) -> None:
    program, person = token(ada, "narrow"), Program(user=ada)
    first = Token.objects.get()
    status, said = program("POST /tokens", name="more", role="all", days=5)
    assert (status, "no such role" in said["detail"]) == (409, True)
    status, made = program("POST /tokens", name="longer", role="narrow", days=300)
    assert status == 200
    assert Token.objects.get(id=made["id"]).expires <= first.expires
    assert Program(made["token"])("GET /me")[1]["name"] == "ada (longer)"
    status, wide = person("POST /tokens", name="wide", role="all", days=1)
    assert [one["role"] for one in program("GET /tokens")[1]] == ["narrow", "narrow"]
    assert len(person("GET /tokens")[1]) == 3
    assert program(f"DELETE /tokens/{wide['id']}")[0] == 404
    assert program(f"DELETE /tokens/{made['id']}") == (204, None)
    assert Program(made["token"])("GET /me")[0] == 401
    eve = Program(user=User.objects.create_user("eve"))
    assert eve("GET /tokens") == (200, [])
    assert eve(f"DELETE /tokens/{wide['id']}")[0] == 404
    assert eve("POST /tokens", name="x", role="all")[0] == 409
    assert [*Audit.objects.values_list("actor", "action")] == [
        ("ada (of narrow)", "access-add"), ("ada", "access-add"), ("ada (of narrow)", "access-delete"),
    ]  # fmt: skip


def test_views_are_those_of_the_account_that_the_token_is_of(ada: User) -> None:
    program, eve = token(ada, "narrow"), Program(user=User.objects.create_user("eve"))
    status, view = program("POST /views", name="dead ones", query="state=dead&column=type&nonsense=")
    assert (status, view["query"], view["owner"]) == (200, "state=dead&column=type", "ada")
    assert program("POST /views", name="bad", query="since=never")[0] == 409
    assert eve("GET /views") == (200, [])
    for call in ("PATCH", "DELETE"):
        assert eve(f"{call} /views/{view['id']}")[0] == 404
    assert program(f"PATCH /views/{view['id']}", first=True, shared=True)[1]["first"]
    (seen,) = eve("GET /views")[1]
    assert (seen["mine"], seen["first"], seen["shared"]) == (False, False, True)
    assert Program(user=ada).client.get("/")["Location"] == "/?state=dead&column=type"
    assert program(f"DELETE /views/{view['id']}") == (204, None)
    assert eve("GET /views") == (200, [])


def test_rules_of_alerts_are_written_tried_and_deleted_by_who_sees_everything(ada: User) -> None:
    program, other = token(ada, "all"), token(ada, "narrow")
    secret = "https://hooks.example/T0/very-secret"
    told: dict[str, Any] = {"mail": ["a@example.org"], "webhook": secret}
    status, rule = program("POST /alerts", name="deaths", kind="dead", raise_at=3, clear_at=1, **told)
    assert (status, rule["mail"], rule["has_webhook"]) == (200, ["a@example.org"], True)
    one = f"/alerts/{rule['id']}"
    calls: list[tuple[str, dict[str, Any]]] = [
        ("GET /alerts", {}), ("POST /alerts", {"name": "x", "kind": "dead"}), (f"GET {one}", {}),
        (f"PATCH {one}", {"enabled": False}), (f"POST {one}/test", {}), (f"DELETE {one}", {}),
        ("GET /alerts/events", {}),
    ]  # fmt: skip
    assert {other(call, **body)[0] for call, body in calls} == {404}
    mistakes: list[dict[str, Any]] = [
        {"clear_at": 4.0}, {"mail": ["nobody"]}, {"kind": "else"}, {"window_minutes": 2**31 - 1},
        {"webhook": "ftp://x"}, {"name": " "},
    ]  # fmt: skip
    for wrong in mistakes:
        status, said = program(f"PATCH {one}", **wrong)
        assert (status, [error["field"] for error in said["errors"]]) == (422, [*wrong]), wrong
    assert program(f"PATCH {one}", enabled=False)[1]["raise_at"] == 3
    kept = AlertRule.objects.get()
    assert (kept.webhook, kept.enabled, kept.mail) == (secret, False, "a@example.org")
    said = [program("GET /alerts"), program(f"GET {one}"), program("GET /audit"), program(f"POST {one}/test")]
    assert secret not in str(said)
    assert "EMAIL_HOST is not set" in said[-1][1]["trouble"]
    assert program(f"DELETE {one}") == (204, None)
    actions = [*Audit.objects.order_by("id").values_list("action", flat=True)]
    assert actions == ["alert-new", "alert-change", "alert-test", "alert-delete"]


def test_dead_queues_are_not_there_for_who_may_not_act(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PACER_CONFIG", "RMQ_HOST"):
        monkeypatch.delenv(name, raising=False)
    program, administrator = token(ada, "narrow"), token(ada, "all")
    said: dict[str, Any] = {"all": True, "reason": "because"}
    acts = [("POST /dead/replay", said), ("POST /dead/discard", said)]
    calls: list[tuple[str, dict[str, Any]]] = [("GET /dead", {}), ("GET /dead/letters/abc", {}), *acts]
    assert {program(call, **body)[0] for call, body in calls} == {404}
    answers = [administrator(call, **body) for call, body in calls]
    assert {status for status, _ in answers} == {409}
    assert all("no broker is configured" in body["detail"] for _, body in answers)
    RoleRule.objects.update(reingest=True)  # of one type: its letters go to no queue of another
    status, body = program("POST /dead/replay", all=True, reason="because", to="another-queue")
    assert (status, "any message again" in body["detail"]) == (409, True)
    assert administrator("POST /dead/replay", all=True, ids=["abc"], reason="because")[0] == 409
    actions = [*Audit.objects.order_by("id").values_list("action", "count")]
    assert actions == [("dead-replay-failed", 0), ("dead-discard-failed", 0)]
