"""Sign-in by OpenID Connect, against a provider that can misbehave."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings

from pacer_dashboard.access.configuration import SignIn
from pacer_dashboard.access.viewers import viewer_of
from pacer_dashboard.models.access import Role, RoleRule, SignedIn
from pacer_dashboard.place import Place
from pacer_dashboard.testing_site import Site
from plugins.pacer_dashboard.tests.openid import CLIENT, MISBEHAVIOURS, SECRET, Provider

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.usefixtures("empty", "testserver")


@pytest.fixture(scope="module")
def shared() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture
def provider(shared: Provider) -> Iterator[Provider]:
    shared.behave()
    with override_settings(PACER_SIGN_IN=SignIn(shared.issuer, CLIENT, SECRET)):
        yield shared


def sign_in(client: Client, back: str = "") -> Any:
    """Do what a browser does: to the provider and back; gives our answer to who comes back."""
    begun = client.get("/oidc/login", {"next": back} if back else {})
    assert begun.status_code == 302, begun.content
    there = httpx.get(begun["Location"])
    assert there.status_code == 302, there.text
    return client.get(there.headers["Location"].removeprefix("http://testserver"))


def role(name: str, *groups: str) -> Role:
    made = Role.objects.create(name=name)
    RoleRule.objects.create(role=made, types=["datasets"], identifiers={"instrument": ["ID01"]})
    for group in groups:
        made.groups.create(name=group)
    return made


def test_who_signs_in_has_the_roles_of_their_groups(provider: Provider) -> None:
    role("id01 staff", "id01", "staff")
    role("id02 staff", "id02")
    provider.behave(groups=["/id01", "others"])
    client = Client()
    answer = sign_in(client, "/?state=dead")
    assert (answer.status_code, answer["Location"]) == (302, "/?state=dead")
    viewer = viewer_of(User.objects.get(username="ada"))
    assert not viewer.everything
    assert [sorted(rule.types or ()) for rule in viewer.rules] == [["datasets"]]
    assert not provider.refused


def test_groups_are_those_of_the_latest_login(provider: Provider) -> None:
    role("id01 staff", "id01")
    provider.behave(groups=["id01"])
    sign_in(Client())
    assert viewer_of(User.objects.get(username="ada")).rules
    provider.behave(groups=["id02"])
    sign_in(Client())
    assert viewer_of(User.objects.get(username="ada")).rules == ()


@pytest.mark.parametrize("groups", [None, "id01", [], [1, None, {"id01": True}], {"id01": 1}])
def test_a_groups_claim_that_is_missing_or_odd_gives_no_role_but_by_its_text(
    provider: Provider, groups: object
) -> None:
    role("id01 staff", "id01")
    provider.behave(groups=groups)
    if groups is None:
        del provider.person["groups"]
    sign_in(Client())
    assert bool(viewer_of(User.objects.get(username="ada")).rules) is (groups == "id01")


def test_groups_that_only_the_userinfo_endpoint_tells_are_asked_there(provider: Provider) -> None:
    """Core 5.4: claims may come from there alone."""
    role("id01 staff", "id01")
    provider.behave(groups=["id01"])
    provider.groups_in = "userinfo"
    sign_in(Client())
    assert viewer_of(User.objects.get(username="ada")).rules


@pytest.mark.parametrize("misbehaviour", MISBEHAVIOURS)
def test_an_answer_that_is_not_as_the_standard_has_it_lets_nobody_in(
    provider: Provider, misbehaviour: str, caplog: pytest.LogCaptureFixture
) -> None:
    provider.behave(groups=["id01"])
    provider.misbehaviour = misbehaviour
    if misbehaviour == "userinfo of somebody else":
        provider.groups_in = "userinfo"
    client = Client()
    answer = sign_in(client)
    assert answer.status_code == 403, MISBEHAVIOURS[misbehaviour]
    assert not User.objects.exists()
    assert "_auth_user_id" not in client.session
    said = [one.getMessage() for one in caplog.records if one.name == "pacer.dashboard.access"]
    assert len(said) == 1
    assert not re.findall(rf"\bada\b|{re.escape(SECRET)}", said[0])
    if (
        claim := {"wrong audience": "aud", "no exp": "exp", "wrong nonce": "nonce"}.get(misbehaviour)
    ) is not None:
        assert f"'{claim}'" in said[0], said


def test_a_login_that_another_browser_began_lets_nobody_in(provider: Provider) -> None:
    """Core 3.1.2.1 and RFC 6749, 10.12: state binds the answer to the browser that asked."""
    there = httpx.get(Client().get("/oidc/login")["Location"])
    victim = Client()
    back = victim.get(there.headers["Location"].removeprefix("http://testserver"))
    assert back.status_code == 403
    assert "begun elsewhere" in back.content.decode()
    assert not User.objects.exists()


def test_a_code_is_good_once(provider: Provider) -> None:
    client = Client()
    there = (
        httpx.get(client.get("/oidc/login")["Location"]).headers["Location"].removeprefix("http://testserver")
    )
    assert client.get(there).status_code == 302
    assert client.get(there).status_code == 403


def test_who_has_signed_in_gets_a_session_that_nobody_could_have_prepared(provider: Provider) -> None:
    client = Client()
    client.get("/oidc/login")
    before = client.session.session_key
    sign_in(client)
    assert client.session.session_key != before


@pytest.mark.parametrize(
    "back", ["https://elsewhere.example.org/", "//elsewhere.example.org", "javascript:alert(1)"]
)
def test_nobody_is_led_elsewhere_after_the_sign_in(provider: Provider, back: str) -> None:
    assert sign_in(Client(), back)["Location"] == "/"


def test_a_local_account_of_the_same_name_stays_what_it_is(provider: Provider) -> None:
    """Core 5.7: issuer and subject alone say who somebody is."""
    local = User.objects.create_superuser("ada", password="a long pass phrase")
    provider.behave(email="ada@example.org")
    sign_in(Client())
    made = SignedIn.objects.get()
    assert made.user != local
    assert not viewer_of(made.user).everything
    assert made.user.username == "ada-2"
    sign_in(Client())
    assert SignedIn.objects.count() == 1


def test_an_account_that_was_switched_off_does_not_come_back_by_signing_in(provider: Provider) -> None:
    sign_in(Client())
    User.objects.update(is_active=False)
    client = Client()
    assert sign_in(client).status_code == 403
    assert "_auth_user_id" not in client.session


def test_leaving_ends_the_session_at_the_provider_as_well(provider: Provider) -> None:
    client = Client()
    sign_in(client)
    left = client.post("/logout")
    there = urlsplit(left["Location"])
    asked = {name: values[0] for name, values in parse_qs(there.query).items()}
    assert left["Location"].startswith(f"{provider.issuer}/logout?")
    assert asked["id_token_hint"].count(".") == 2
    assert (asked["client_id"], asked["post_logout_redirect_uri"]) == (CLIENT, "http://testserver/login")
    assert (
        client.get(
            httpx.get(left["Location"]).headers["Location"].removeprefix("http://testserver")
        ).status_code
        == 200
    )
    assert "_auth_user_id" not in client.session


def test_a_provider_that_is_away_or_another_one_is_said(
    provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    with override_settings(PACER_SIGN_IN=SignIn("http://127.0.0.1:9/realms/lab", CLIENT, SECRET)):
        away = Client().get("/oidc/login")
    assert away.status_code == 503
    assert "cannot be reached" in away.content.decode()
    assert "Connection refused" in caplog.text
    other = provider.issuer.replace("127.0.0.1", "localhost")
    with override_settings(PACER_SIGN_IN=SignIn(other, CLIENT, SECRET)):
        wrong = Client().get("/oidc/login")
    assert wrong.status_code == 503
    assert "another one" in wrong.content.decode()


def test_a_provider_that_has_changed_its_key_is_believed_without_a_restart(provider: Provider) -> None:
    sign_in(Client())
    provider.key, provider._other = provider._other, provider.key
    assert sign_in(Client()).status_code == 302


def test_a_person_signs_in_and_leaves_in_a_real_browser_below_a_path(
    browser: Browser, empty: Place, tmp_path: Path, shared: Provider
) -> None:
    """The pages' policy lets the logout lead to the provider; cookies and addresses know the path."""
    role("id01 staff", "id01")
    shared.behave(groups=["id01"])
    environment = {
        "SSO_SERVER_URL": shared.issuer,
        "SSO_CLIENT_ID": CLIENT,
        "SSO_CLIENT_SECRET": SECRET,
    }
    site = Site(empty, tmp_path, environment, root="/pacer-dashboard")
    shared.redirects = {f"{site.url}oidc/callback"}
    site.start()
    context = browser.new_context()
    context.set_default_timeout(60_000)
    try:
        page = context.new_page()
        wrong: list[str] = []
        page.on("console", lambda said: wrong.append(said.text) if "Policy" in said.text else None)
        page.goto(f"{site.url}statistics/")
        page.get_by_role("link", name="With the facility's account").click()
        page.wait_for_url(f"{site.url}statistics/")
        me = page.evaluate("fetch('../api/v1/me').then(answer => answer.json())")
        assert (me["name"], me["rules"][0]["types"]) == ("ada", ["datasets"])
        page.locator("details.menu > summary").click()
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url(f"{site.url}login*")
        assert shared.ended[0]["post_logout_redirect_uri"] == f"{site.url}login"
        assert page.evaluate("fetch('api/v1/me').then(answer => answer.status)") == 401
        assert [cookie["path"] for cookie in context.cookies()] == ["/pacer-dashboard/"]
        assert not wrong
        assert not shared.refused
    finally:
        shared.redirects = set()
        context.close()
        site.stop()
