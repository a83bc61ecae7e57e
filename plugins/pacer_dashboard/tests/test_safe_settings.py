"""What the environment may say about access, and what is refused (W16)."""

from __future__ import annotations

import re
import runpy
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

import pacer_dashboard
from pacer_core import PacerError
from pacer_dashboard.access.configuration import (
    UnsafeError,
    access_settings,
    kept_key,
    ready_to_serve,
    refuse_without_login,
)
from pacer_dashboard.commands import dashboard
from pacer_dashboard.variables import SECTIONS

KEY = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
SAFE = {"SECRET_KEY": KEY, "ALLOWED_HOSTS": "pacer.example.org"}
SSO = {
    "SSO_SERVER_URL": "https://sso.example.org/realms/lab/",
    "SSO_CLIENT_ID": "dashboard",
    "SSO_CLIENT_SECRET": "s3cret",
}


def served(
    environ: dict[str, str], *, embedded: bool = False, folder: Path | None = None, debug: bool = False
) -> Any:
    """Give the settings with which pages are shown."""
    made = access_settings(environ, embedded=embedded)
    settings = SimpleNamespace(**made, DEBUG=debug)
    ready_to_serve(settings, folder)
    return settings


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"ALLOWED_HOSTS": "a.example.org"}, "SECRET_KEY is not set"),
        ({**SAFE, "SECRET_KEY": "short"}, "easy to guess"),
        ({**SAFE, "SECRET_KEY": "a" * 60}, "easy to guess"),
        ({**SAFE, "SECRET_KEY": "django-insecure-" + KEY}, "easy to guess"),
        ({"SECRET_KEY": KEY}, "ALLOWED_HOSTS is not set"),
        ({**SAFE, "ALLOWED_HOSTS": "a.example.org, *"}, r"ALLOWED_HOSTS is \*"),
        ({**SAFE, "DISABLED_AUTH": "True"}, "works on this machine alone"),
        ({**SAFE, "DISABLED_AUTH": "maybe"}, "write true or false"),
        ({**SAFE, "SSO_SERVER_URL": "https://sso.example.org"}, "SSO_CLIENT_ID and SSO_CLIENT_SECRET"),
        ({**SAFE, **SSO, "SSO_SERVER_URL": "http://sso.example.org/realms/lab"}, "is not https"),
        ({**SAFE, **SSO, "SSO_SERVER_URL": "http://127.0.0.1.example.org"}, "is not https"),
        ({**SAFE, **SSO, "SSO_SCOPES": "profile"}, "lacks openid"),
        ({**SAFE, "PACER_DASHBOARD_TRUSTED_PROXIES": "proxy"}, "write addresses"),
        ({**SAFE, "PACER_DASHBOARD_SESSION_HOURS": "-1"}, "whole number"),
        ({**SAFE, "PACER_DASHBOARD_SESSION_HOURS": "0"}, "nobody would stay signed in"),
        ({**SAFE, "FORCE_SCRIPT_NAME": "pacer"}, "begins with /"),
    ],
)
def test_what_is_not_safe_is_refused_with_what_to_do(environ: dict[str, str], said: str) -> None:
    with pytest.raises(UnsafeError, match=said):
        served(environ)


def test_an_empty_variable_is_its_default_and_a_port_that_is_none_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("TIME_ZONE", "EMAIL_PORT", "DEFAULT_FROM_EMAIL"):
        monkeypatch.setenv(name, "")
    file = str(Path(pacer_dashboard.__file__).with_name("settings.py"))
    found = runpy.run_path(file)
    assert (found["TIME_ZONE"], found["EMAIL_PORT"]) == ("UTC", 25)
    assert found["DEFAULT_FROM_EMAIL"] == "pacer@localhost"
    monkeypatch.setenv("EMAIL_PORT", "smtp")
    with pytest.raises(PacerError, match="EMAIL_PORT is 'smtp'"):
        runpy.run_path(file)


def test_all_that_is_wrong_is_said_at_once_and_no_secret_with_it() -> None:
    with pytest.raises(UnsafeError) as refused:
        served({"SECRET_KEY": "hunter2", "SSO_CLIENT_SECRET": "s3cret", "SSO_CLIENT_ID": "x"})
    text = str(refused.value)
    assert text.count("  * ") == 3
    assert "hunter2" not in text
    assert "s3cret" not in text


def test_error_pages_with_settings_in_them_are_refused_in_production() -> None:
    with pytest.raises(UnsafeError, match="PACER_DASHBOARD_DEBUG"):
        served(SAFE, debug=True)


def test_a_writer_needs_neither_a_key_nor_names_of_hosts() -> None:
    made = access_settings({}, embedded=False)
    assert made["SECRET_KEY"] == ""
    assert len(made["PACER_PROBLEMS"]) == 2


def test_the_embedded_database_has_a_key_of_its_own_that_only_its_owner_reads(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    first = kept_key(folder)
    file = folder / "secret-key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(first) > 80
    assert kept_key(folder) == first
    assert kept_key(tmp_path / "other") != first
    assert [one.name for one in folder.iterdir()] == ["secret-key"]


def test_cookies_go_by_https_alone_and_no_script_reads_them() -> None:
    settings = served({**SAFE, "FORCE_SCRIPT_NAME": "/pacer/", "PACER_DASHBOARD_HSTS_SECONDS": "3600"})
    for cookie in ("SESSION", "CSRF"):
        assert getattr(settings, f"{cookie}_COOKIE_SECURE")
        assert getattr(settings, f"{cookie}_COOKIE_HTTPONLY")
        assert getattr(settings, f"{cookie}_COOKIE_SAMESITE") == "Lax"
        assert getattr(settings, f"{cookie}_COOKIE_PATH") == "/pacer/"
    assert settings.SECURE_HSTS_SECONDS == 3600
    plain = served({**SAFE, "PACER_DASHBOARD_HTTPS": "false", "PACER_DASHBOARD_HSTS_SECONDS": "3600"})
    assert not plain.SESSION_COOKIE_SECURE
    assert plain.SECURE_HSTS_SECONDS == 0


def test_the_policy_lets_in_what_the_package_brings_and_nothing_inline() -> None:
    policy = served({**SAFE, **SSO}).CONTENT_SECURITY_POLICY["DIRECTIVES"]
    assert policy["script-src"] == policy["style-src"] == ["'self'"]
    assert policy["default-src"] == policy["frame-ancestors"] == ["'none'"]
    assert policy["form-action"] == ["'self'", "https://sso.example.org"]
    assert "unsafe" not in str(policy)


def test_the_sign_in_keeps_its_secret_to_itself() -> None:
    settings = served({**SAFE, **SSO})
    assert settings.PACER_SIGN_IN.server == "https://sso.example.org/realms/lab"
    assert "s3cret" not in repr(settings.PACER_SIGN_IN)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "pacer.example.org", "::ffff:10.0.0.1", ""])
def test_without_a_login_nothing_listens_where_others_can_reach(host: str) -> None:
    with pytest.raises(UnsafeError, match="can be reached from elsewhere"):
        refuse_without_login(host, {"DISABLED_AUTH": "true"})
    refuse_without_login(host, {})


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "[::1]", "localhost", "127.8.9.1", "::ffff:127.0.0.1"])
def test_without_a_login_this_machine_alone_may_listen(host: str) -> None:
    refuse_without_login(host, {"DISABLED_AUTH": "true"})


def test_the_command_does_not_begin_to_listen_for_everybody_without_logins() -> None:
    answer = CliRunner().invoke(dashboard, ["serve", "--host", "0.0.0.0"], env={"DISABLED_AUTH": "true"})
    assert isinstance(answer.exception, UnsafeError)


def test_every_variable_that_is_read_stands_in_the_reference() -> None:
    listed = {one.name for section in SECTIONS.values() for one in section}
    files = Path(pacer_dashboard.__file__).parent.rglob("*.py")
    source = "\n".join(file.read_text() for file in files if file.name != "variables.py")
    prefixes = "SSO|PACER|POSTGRES|RMQ|ICAT|PANOSC|INVESTIGATION|ES|EMAIL|DEFAULT_FROM"
    named = set(re.findall(rf'"((?:{prefixes})_[A-Z_]+|TIME_ZONE|DISABLED_AUTH|ALLOWED_HOSTS)"', source))
    ours = {name for name in access_settings({}, embedded=True) if name.startswith("PACER_")}  # of Django's
    assert not named - ours - listed
    elsewhere = {
        "PACER_CONFIG",
        "PACER_DASHBOARD_DEBUG",
    }  # the core's, and one that is read by its own function
    assert {name for name in listed - elsewhere if f'"{name}"' not in source} == set()
