"""Sign-in and logout at a real Keycloak, in the long form."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import httpx
import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings

from pacer_dashboard.access.configuration import SignIn
from pacer_dashboard.access.viewers import viewer_of
from pacer_dashboard.models import Role, RoleRule
from plugins.pacer_dashboard.tests.keycloak import CLIENT, PASSWORD, PERSON, SECRET, Keycloak
from tests.at_length import long
from tests.services.fixtures import skip_without_program

HERE = "http://testserver"
pytestmark = [long, pytest.mark.usefixtures("empty", "testserver")]


@pytest.fixture(scope="module")
def keycloak() -> Iterator[Keycloak]:
    with skip_without_program():
        server = Keycloak(HERE, ["id01", "others"])
    with server:
        yield server


def test_a_person_signs_in_at_keycloak_has_the_roles_of_their_groups_and_leaves_both(
    keycloak: Keycloak,
) -> None:
    role = Role.objects.create(name="id01 staff")
    RoleRule.objects.create(role=role, types=["datasets"], identifiers={"instrument": ["ID01"]})
    role.groups.create(name="id01")
    client, sign_in = Client(), SignIn(keycloak.issuer, CLIENT, SECRET)
    with httpx.Client() as browser, override_settings(PACER_SIGN_IN=sign_in):
        page = browser.get(client.get("/oidc/login")["Location"])
        for cookie in browser.cookies.jar:  # a browser sends them to this machine by plain HTTP, too
            cookie.secure = False
        (action,) = re.findall(r'<form[^>]*id="kc-form-login"[^>]*action="([^"]+)"', page.text)
        there = browser.post(html.unescape(action), data={"username": PERSON, "password": PASSWORD})
        assert there.status_code == 302, there.text
        assert client.get(there.headers["Location"].removeprefix(HERE))["Location"] == "/"
        user = User.objects.get(username=PERSON)
        assert [sorted(rule.types or ()) for rule in viewer_of(user).rules] == [["datasets"]]
        assert sorted(user.signed_in.groups) == ["id01", "others"]

        left = browser.get(client.post("/logout")["Location"])
        assert left.headers["Location"].startswith(f"{HERE}/login")
        again = browser.get(client.get("/oidc/login")["Location"])
    assert "kc-form-login" in again.text  # the session at Keycloak has ended, too
