"""Local accounts, the admin pages, proxies, and what a browser is told (W12, W15, W16)."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, override_settings
from django.utils import timezone

from pacer_dashboard.models.access import Role, RoleRule
from pacer_dashboard.models.audit import Audit
from pacer_dashboard.models.tokens import Token

pytestmark = pytest.mark.usefixtures("empty", "testserver")

PASSWORD = "a long pass phrase"


def log_in(client: Client, name: str, password: str, **more: Any) -> Any:
    return client.post("/login", {"username": name, "password": password}, **more)


def test_a_local_account_logs_in_and_out() -> None:
    User.objects.create_user("ada", password=PASSWORD)
    client = Client()
    assert log_in(client, "ada", PASSWORD)["Location"] == "/"
    assert client.get("/api/v1/me").json()["name"] == "ada"
    assert client.get("/logout").status_code == 405
    assert client.post("/logout")["Location"] == "/login"
    assert client.get("/api/v1/me").status_code == 401


def test_passwords_are_stored_by_argon2() -> None:
    from pacer_dashboard.access.configuration import access_settings

    with override_settings(PASSWORD_HASHERS=access_settings({}, embedded=True)["PASSWORD_HASHERS"]):
        assert User.objects.create_user("ada", password=PASSWORD).password.startswith("argon2$")


def test_guessing_is_stopped_for_who_guesses_and_for_nobody_else() -> None:
    User.objects.create_user("ada", password=PASSWORD)
    guesser = Client(REMOTE_ADDR="10.0.0.9")
    answers = [log_in(guesser, "ada", f"wrong {number}").status_code for number in range(6)]
    assert answers[0] == 200
    assert answers[-1] == 429
    locked = log_in(guesser, "ada", PASSWORD)
    assert locked.status_code == 429
    assert locked["Retry-After"] == "900"
    assert log_in(Client(REMOTE_ADDR="10.0.0.8"), "ada", PASSWORD).status_code == 302


@pytest.mark.parametrize("address", ["10.0.0.{}", "2001:db8:1:2::{}"])
def test_one_password_tried_on_many_accounts_is_stopped_as_well(address: str) -> None:
    """An address that guesses at each account once or twice is below the limit of each."""
    User.objects.create_user("ada", password=PASSWORD)
    number = iter(range(1, 1000))

    def client() -> Client:
        """Give who guesses: at IPv4 by the address that one has, at IPv6 by any one of the net."""
        return Client(REMOTE_ADDR=address.format(9 if "." in address else next(number)))

    with override_settings(PACER_MOST_GUESSES_OF_AN_ADDRESS=8):
        answers = [log_in(client(), f"user-{one}", "Summer2026").status_code for one in range(9)]
        assert (answers[0], answers[7], answers[8]) == (200, 200, 429)
        assert log_in(client(), "ada", PASSWORD).status_code == 429
        assert (
            log_in(Client(REMOTE_ADDR=address.replace("2:", "3:").format(8)), "ada", PASSWORD).status_code
            == 302
        )
        AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
        assert log_in(client(), "ada", PASSWORD).status_code == 302


def test_a_proxy_that_is_not_trusted_cannot_make_a_guesser_look_like_another() -> None:
    User.objects.create_user("ada", password=PASSWORD)
    client = Client(REMOTE_ADDR="10.0.0.9")
    answers = [
        log_in(client, "ada", "wrong", headers={"X-Forwarded-For": f"10.9.9.{number}"}).status_code
        for number in range(6)
    ]
    assert answers[-1] == 429


def test_behind_a_trusted_proxy_each_guesser_is_their_own_and_https_is_believed() -> None:
    User.objects.create_user("ada", password=PASSWORD)
    with override_settings(PACER_TRUSTED_PROXIES=["10.0.0.0/24"]):
        client = Client(REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-Proto": "https"})
        said = "10.9.9.9, 192.168.1.1, 10.0.0.2"  # the first is what a guesser claims, the last is a proxy
        for _ in range(6):
            answer = log_in(client, "ada", "wrong", headers={"X-Forwarded-For": said})
        assert answer.status_code == 429
        good = log_in(client, "ada", PASSWORD, headers={"X-Forwarded-For": "10.9.9.9, 192.168.1.2, 10.0.0.2"})
        assert good.status_code == 302
        assert good.wsgi_request.is_secure()
    assert not Client(headers={"X-Forwarded-Proto": "https"}).get("/login").wsgi_request.is_secure()


@pytest.mark.parametrize("asker", ["192.168.1.1:{}", "[2001:db8::7]:{}", "[2001:db8::7]"])
def test_an_address_is_known_however_a_balancer_writes_it(asker: str) -> None:
    with override_settings(PACER_TRUSTED_PROXIES=["10.0.0.1"]):
        client = Client(REMOTE_ADDR="10.0.0.1")
        answers = [
            log_in(client, "ada", "wrong", headers={"X-Forwarded-For": asker.format(50_000 + number)})
            for number in range(6)
        ]
    assert answers[-1].status_code == 429
    ipaddress.ip_address(answers[0].wsgi_request.META["REMOTE_ADDR"])  # as a database takes it
    assert AccessAttempt.objects.exclude(ip_address="10.0.0.1").exists()


def test_a_form_of_another_site_is_refused() -> None:
    User.objects.create_user("ada", password=PASSWORD)
    client = Client(enforce_csrf_checks=True)
    assert log_in(client, "ada", PASSWORD).status_code == 403
    (token,) = set(
        re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get("/login").content.decode())
    )
    said = {"username": "ada", "password": PASSWORD, "csrfmiddlewaretoken": token}
    assert client.post("/login", said, headers={"Origin": "https://evil.example.org"}).status_code == 403
    assert client.post("/login", said).status_code == 302


@pytest.mark.parametrize(
    ("peer", "headers", "let_in"),
    [
        ("127.0.0.1", {"Host": "127.0.0.1:8000"}, True),
        ("::1", {"Host": "localhost"}, True),
        ("10.0.0.9", {"Host": "127.0.0.1"}, False),
        ("127.0.0.1", {"Host": "127.0.0.1", "X-Forwarded-For": "10.0.0.9"}, False),
        ("127.0.0.1", {"Host": "127.0.0.1", "Forwarded": "for=10.0.0.9"}, False),
        ("127.0.0.1", {"Host": "127.0.0.1", "Via": "1.1 proxy"}, False),
        ("127.0.0.1", {"Host": "testserver"}, False),
    ],
)
def test_without_logins_only_this_machine_itself_is_let_in(
    peer: str, headers: dict[str, str], let_in: bool
) -> None:
    with override_settings(PACER_WITHOUT_LOGIN=True):
        answer = Client(REMOTE_ADDR=peer).get("/api/v1/me", headers=headers)
    assert answer.status_code == (200 if let_in else 401)


def test_a_proxy_on_this_machine_is_a_proxy_even_when_it_is_trusted() -> None:
    with override_settings(PACER_WITHOUT_LOGIN=True, PACER_TRUSTED_PROXIES=["127.0.0.1"]):
        headers = {"Host": "127.0.0.1", "X-Forwarded-For": "127.0.0.1"}
        assert Client(REMOTE_ADDR="127.0.0.1").get("/api/v1/me", headers=headers).status_code == 401


def test_the_admin_pages_are_for_who_administers_and_each_change_is_audited() -> None:
    user = User.objects.create_user("ada", password=PASSWORD, is_staff=True)
    client = Client()
    assert client.get("/admin/")["Location"] == "/login?next=/admin/"
    client.force_login(user)
    assert client.get("/admin/", follow=True).status_code == 403
    user.dashboard_roles.add(Role.objects.create(name="admins", administers=True))
    assert client.get("/admin/").status_code == 200
    form = {
        "name": "id01",
        "description": "",
        "users": [user.pk],
        "rules-TOTAL_FORMS": 1,
        "rules-INITIAL_FORMS": 0,
        "rules-0-types": "datasets\nusers",
        "rules-0-identifiers": "instrument = ID01, ID02",
        "rules-0-view": "on",
        "groups-TOTAL_FORMS": 1,
        "groups-INITIAL_FORMS": 0,
        "groups-0-name": "id01-staff",
    }
    wrong = client.post("/admin/pacer_dashboard/role/add/", {**form, "rules-0-identifiers": "ID01"})
    assert "write key = value" in wrong.content.decode()
    assert client.post("/admin/pacer_dashboard/role/add/", form).status_code == 302
    rule = RoleRule.objects.get(role__name="id01")
    assert (rule.types, rule.identifiers) == (["datasets", "users"], {"instrument": ["ID01", "ID02"]})
    assert rule.view
    assert not rule.personal
    assert [one.name for one in rule.role.groups.all()] == ["id01-staff"]
    noted = Audit.objects.latest("pk")
    assert noted.actor == "ada"
    assert "id01" in str(vars(noted))


def test_no_page_of_access_has_inline_code_and_all_have_the_policy() -> None:
    """W15: what a broker supplies cannot become a script where no script in a page runs."""
    user = User.objects.create_superuser("ada", password=PASSWORD)
    role = Role.objects.create(name="role")
    RoleRule.objects.create(role=role, types=["<script>"], identifiers={"*": ["*"]})
    client = Client()
    client.force_login(user)
    pages = [
        "/login",
        "/tokens",
        "/api/v1/",
        "/admin/",
        "/admin/auth/user/",
        f"/admin/auth/user/{user.pk}/change/",
    ]
    pages += [f"/admin/pacer_dashboard/role/{role.pk}/change/", "/admin/pacer_dashboard/token/"]
    for page in pages:
        answer = client.get(page)
        text = answer.content.decode()
        assert answer.status_code == 200, page
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")", text), page
        assert not re.search(r"<style|<[^>]+\s(on\w+|style)=", text), page
        assert "'unsafe" not in answer["Content-Security-Policy"]
        assert "no-store" in answer["Cache-Control"] or "private" in answer["Cache-Control"]
        assert answer["X-Frame-Options"] == "DENY"


def test_a_token_is_made_on_a_page_shown_once_used_and_withdrawn() -> None:
    user = User.objects.create_user("ada", password=PASSWORD)
    mine, other = Role.objects.create(name="mine"), Role.objects.create(name="other")
    RoleRule.objects.create(role=mine, types=["*"], identifiers={"*": ["*"]})
    user.dashboard_roles.add(mine)
    client = Client()
    assert client.get("/tokens").status_code == 302
    client.force_login(user)
    assert client.post("/tokens", {"name": "x", "role": other.pk, "days": 5}).status_code == 422
    made = client.post("/tokens", {"name": "script", "role": mine.pk, "days": 5}).content.decode()
    (text,) = re.findall(r"pacer_[\w-]{40,}", made)
    assert text not in client.get("/tokens").content.decode()
    shown = {"Authorization": f"Bearer {text}"}
    assert Client().get("/api/v1/me", headers=shown).json()["name"] == "ada (script)"
    stranger = Client()
    stranger.force_login(User.objects.create_user("eve"))
    token = Token.objects.get()
    assert stranger.post(f"/tokens/{token.pk}/withdraw").status_code == 404
    client.post(f"/tokens/{token.pk}/withdraw")
    refused = Client().get("/api/v1/me", headers=shown)
    assert refused.status_code == 401
    assert refused["Content-Type"] == "application/problem+json"


def test_it_says_whether_it_lives_and_whether_it_can_show_anything() -> None:
    """W21: upstream, the status is a constant."""
    assert Client().get("/status").json() == {"status": "ok"}
    assert Client().get("/ready").json() == {"ready": True, "reason": ""}
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'pacer_dashboard' AND name LIKE '0005%%'")
    answer = Client().get("/ready")
    assert (answer.status_code, "pacer dashboard migrate" in answer.json()["reason"]) == (503, True)


@pytest.mark.parametrize("by", ["page", "api"])
def test_a_token_comes_and_goes_with_what_the_audit_log_says_of_it_or_not_at_all(
    by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pacer_dashboard.access import token_pages
    from pacer_dashboard.api import tokens

    def ends(*_: Any) -> None:
        raise RuntimeError("the process ends here")

    role = Role.objects.create(name="some")
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("ada"))
    with monkeypatch.context() as patched:
        patched.setattr(token_pages if by == "page" else tokens, "note", ends)
        if by == "page":
            answer = client.post("/tokens", {"name": "t", "role": role.pk, "days": 9})
        else:
            said = {"name": "t", "role": "some"}
            answer = client.post("/api/v1/tokens", said, content_type="application/json")
        assert (answer.status_code, Token.objects.count()) == (500, 0)
    client.post("/tokens", {"name": "t", "role": role.pk, "days": 9})
    (token,) = Token.objects.all()
    monkeypatch.setattr(Token, "delete", ends)
    if by == "page":
        answer = client.post(f"/tokens/{token.pk}/withdraw")
    else:
        answer = client.delete(f"/api/v1/tokens/{token.pk}")
    assert (answer.status_code, Audit.objects.filter(action="access-delete").count()) == (500, 0)


def test_a_rule_that_was_damaged_can_be_mended_on_its_page() -> None:
    role = Role.objects.create(name="some")
    RoleRule.objects.create(role=role, types="x", identifiers=["x"])
    RoleRule.objects.create(role=role, types=[1, "x"], identifiers={"instrument": 1})
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    assert client.get(f"/admin/pacer_dashboard/role/{role.pk}/change/").status_code == 200


def test_a_bad_token_is_not_made_good_by_a_session_that_comes_with_it() -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("ada", password=PASSWORD))
    assert client.get("/api/v1/me", headers={"Authorization": "Bearer pacer_wrong"}).status_code == 401
    assert client.get("/api/v1/me").status_code == 200
