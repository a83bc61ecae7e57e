"""From environment variables to Django's settings of access: what is dangerous is refused, with what to do.

Imports no Django, so that a configuration can be looked at without it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen

from pacer_core import PacerError
from pacer_dashboard.access.loopback import is_loopback
from pacer_dashboard.variables import Reader

KEY_FILE = "secret-key"
SHORTEST_KEY = 50
"""Characters of a SECRET_KEY, as Django's own check security.W009 has it."""
HERE = ("localhost", "127.0.0.1", "[::1]")


class UnsafeError(PacerError):
    """Settings that would let in whom nobody meant to let in; says each, and what to do."""


@frozen
class SignIn:
    """The OpenID Connect provider, and how groups are read from what it says."""

    server: str
    client: str
    secret: str = field(repr=False)
    scopes: str = "openid profile email"
    groups_claim: str = "groups"

    @property
    def origin(self) -> str:
        """Its scheme and host, to which a logout leads."""
        parts = urlsplit(self.server)
        return f"{parts.scheme}://{parts.netloc}"


def access_settings(environ: Mapping[str, str], *, embedded: bool) -> dict[str, Any]:
    """Give Django's settings of access; what is wrong with them is in ``PACER_PROBLEMS``.

    Nothing is raised here: a writer that only stores records, and a migration, need no key and no names of
    hosts. :func:`ready_to_serve` refuses what is wrong, and is asked by whatever shows pages.

    ``embedded`` is for SQLite, one process on one machine: there a key is made, and the hosts are this
    machine's names. With PostgreSQL both have to be said.
    """
    read = Reader(environ)
    problems: list[str] = []
    sign_in = _sign_in(read, problems)
    hosts = _hosts(read, embedded, problems)
    without_login = read.flag("DISABLED_AUTH")
    if without_login and (away := [host for host in hosts if host not in HERE]):
        problems.append(
            f"DISABLED_AUTH lets everybody do everything, so it works on this machine alone, and "
            f"ALLOWED_HOSTS names {', '.join(away)}: leave out one of the two"
        )
    key = _key(read, embedded, problems)
    https = read.flag("PACER_DASHBOARD_HTTPS", default=not embedded)
    script = read.text("FORCE_SCRIPT_NAME").rstrip("/")
    if script and not script.startswith("/"):
        problems.append(f"FORCE_SCRIPT_NAME is {script!r}: it begins with /, like /pacer-dashboard")
    hours = read.number("PACER_DASHBOARD_SESSION_HOURS", problems)
    if not read.text("PACER_DASHBOARD_SESSION_HOURS").strip("0"):
        problems.append("PACER_DASHBOARD_SESSION_HOURS is 0: nobody would stay signed in, write 1 or more")
    hsts = read.number("PACER_DASHBOARD_HSTS_SECONDS", problems)
    proxies = read.addresses("PACER_DASHBOARD_TRUSTED_PROXIES", problems)
    counts = read.flag("PACER_DASHBOARD_PUBLIC_COUNTS")
    return {
        "SECRET_KEY": key,
        "PACER_MAKES_KEY": embedded and not key,
        "ALLOWED_HOSTS": hosts,
        "PACER_SIGN_IN": sign_in,
        "PACER_WITHOUT_LOGIN": without_login and not problems,
        "PACER_PUBLIC_COUNTS": counts,
        "PACER_TRUSTED_PROXIES": proxies,
        "PACER_PROBLEMS": (*problems, *read.unreadable),
        "FORCE_SCRIPT_NAME": script or None,
        **_cookies(script, https, hours),
        **_headers(https, hsts, sign_in),
        **_logins(),
    }


def ready_to_serve(settings: Any, folder: Path | None) -> None:
    """Refuse to show pages with settings that are not safe; ``folder`` is the embedded database's, or None.

    Raises
    ------
    UnsafeError
        With everything that is wrong.
    """
    problems = list(settings.PACER_PROBLEMS)
    if settings.DEBUG and folder is None:
        problems.append("PACER_DASHBOARD_DEBUG shows settings and data in its error pages: leave it out")
    if problems:
        raise UnsafeError(
            "the dashboard does not start like this:\n" + "\n".join(f"  * {one}" for one in problems)
        )
    if settings.PACER_MAKES_KEY and folder is not None:
        settings.SECRET_KEY = kept_key(folder)


def refuse_without_login(host: str, environ: Mapping[str, str]) -> None:
    """Refuse to listen where others can reach, while logins are switched off.

    Raises
    ------
    UnsafeError
        Where DISABLED_AUTH is set and ``host`` is not this machine's own alone.
    """
    if Reader(environ).flag("DISABLED_AUTH") and not is_loopback(host):
        raise UnsafeError(
            f"DISABLED_AUTH lets everybody do everything, and {host} can be reached from elsewhere: "
            "listen at 127.0.0.1, or leave DISABLED_AUTH out"
        )


def kept_key(folder: Path) -> str:
    """Give the key of a folder, made when there is none, in a file that only its owner reads."""
    file = folder / KEY_FILE
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = secrets.token_urlsafe(64)
    whole = folder / f".{KEY_FILE}-{os.getpid()}-{secrets.token_hex(4)}"
    if not file.exists():
        with os.fdopen(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(made)
        try:
            os.link(whole, file)  # of several that begin at once the first one's counts, and it is never half
        except FileExistsError:
            pass
        finally:
            whole.unlink()
    return file.read_text().strip()


def _key(read: Reader, embedded: bool, problems: list[str]) -> str:
    key = read.text("SECRET_KEY")
    if not key and embedded:
        return ""  # made when pages are shown
    if not key:
        problems.append(
            "SECRET_KEY is not set: it signs sessions, and there is no default one. "
            "Make one: python3 -c 'import secrets; print(secrets.token_urlsafe(64))'"
        )
    elif len(key) < SHORTEST_KEY or key.startswith("django-insecure-") or len(set(key)) < 5:
        problems.append(f"SECRET_KEY is easy to guess: give it {SHORTEST_KEY} random characters or more")
    return key


def _hosts(read: Reader, embedded: bool, problems: list[str]) -> list[str]:
    hosts = read.names("ALLOWED_HOSTS")
    if not hosts and not embedded:
        problems.append(
            "ALLOWED_HOSTS is not set: the names by which browsers reach the dashboard, with commas"
        )
    if "*" in hosts:
        problems.append("ALLOWED_HOSTS is *, so any name would do: write the names, with commas")
    return hosts or list(HERE)


def _sign_in(read: Reader, problems: list[str]) -> SignIn | None:
    named = {name: read.text(name) for name in ("SSO_SERVER_URL", "SSO_CLIENT_ID", "SSO_CLIENT_SECRET")}
    if not any(named.values()):
        return None
    if lacking := [name for name, value in named.items() if not value]:
        problems.append(f"{' and '.join(lacking)} is not set, and the sign-in needs all three of SSO_*")
        return None
    server = named["SSO_SERVER_URL"].rstrip("/")
    if not server.startswith("https://") and not _here(server):
        problems.append("SSO_SERVER_URL is not https: whoever is on the way could sign in as anybody")
    scopes = read.text("SSO_SCOPES").split()
    if "openid" not in scopes:
        problems.append("SSO_SCOPES lacks openid, without which a provider says nothing about who signs in")
    return SignIn(
        server,
        named["SSO_CLIENT_ID"],
        named["SSO_CLIENT_SECRET"],
        " ".join(scopes),
        read.text("SSO_GROUPS_CLAIM"),
    )


def _here(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and is_loopback(parts.hostname or "")


def _cookies(script: str, https: bool, hours: int) -> dict[str, Any]:
    path = f"{script}/"
    return {
        "SESSION_COOKIE_NAME": "pacer_session",
        "SESSION_COOKIE_AGE": hours * 3600,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",  # Strict would forget the session on the way back from the sign-in
        "SESSION_COOKIE_SECURE": https,
        "SESSION_COOKIE_PATH": path,
        "SESSION_ENGINE": "django.contrib.sessions.backends.db",  # what standing.py reads
        "CSRF_COOKIE_NAME": "pacer_csrf",
        "CSRF_COOKIE_HTTPONLY": True,
        "CSRF_COOKIE_SAMESITE": "Lax",
        "CSRF_COOKIE_SECURE": https,
        "CSRF_COOKIE_PATH": path,
        "CSRF_FAILURE_VIEW": "pacer_dashboard.access.views.forged",
        "LANGUAGE_COOKIE_PATH": path,
    }


def _headers(https: bool, hsts: int, sign_in: SignIn | None) -> dict[str, Any]:
    return {
        "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),  # TrustedProxies drops it from others
        "USE_X_FORWARDED_HOST": False,
        "SECURE_HSTS_SECONDS": hsts if https else 0,
        "SECURE_CONTENT_TYPE_NOSNIFF": True,
        "SECURE_REFERRER_POLICY": "same-origin",
        "SECURE_CROSS_ORIGIN_OPENER_POLICY": "same-origin",
        "X_FRAME_OPTIONS": "DENY",
        "CONTENT_SECURITY_POLICY": {"DIRECTIVES": dict(_policy(sign_in))},
    }


def _policy(sign_in: SignIn | None) -> Iterator[tuple[str, list[str]]]:
    """Give the content security policy: what the package brings, and nothing that stands in a page."""
    own = "'self'"
    yield "default-src", ["'none'"]
    for kind in ("script-src", "style-src", "font-src", "connect-src", "manifest-src"):
        yield kind, [own]
    yield "img-src", [own, "data:"]  # htmx and the admin's style sheets have small pictures in them
    # A logout is a form whose answer leads to the provider, and browsers hold form-action against that.
    yield "form-action", [own, *([sign_in.origin] if sign_in else [])]
    for kind in ("base-uri", "frame-ancestors", "object-src"):
        yield kind, ["'none'"]


def _logins() -> dict[str, Any]:
    return {
        "AUTHENTICATION_BACKENDS": [
            "axes.backends.AxesStandaloneBackend",  # first: it refuses those who guess
            "pacer_dashboard.access.backend.Accounts",
        ],
        "PASSWORD_HASHERS": [
            "django.contrib.auth.hashers.Argon2PasswordHasher",
            "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        ],
        "AUTH_PASSWORD_VALIDATORS": [
            {"NAME": f"django.contrib.auth.password_validation.{name}"}
            for name in (
                "UserAttributeSimilarityValidator",
                "CommonPasswordValidator",
                "NumericPasswordValidator",
            )
        ]
        + [
            {
                "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
                "OPTIONS": {"min_length": 12},
            }
        ],
        "LOGIN_URL": "login",
        "LOGIN_REDIRECT_URL": "/",
        "AXES_FAILURE_LIMIT": 5,
        "AXES_COOLOFF_TIME": 0.25,  # hours
        "AXES_LOCKOUT_PARAMETERS": [["username", "ip_address"]],  # so that nobody locks out somebody else
        "AXES_RESET_ON_SUCCESS": True,
        "AXES_LOCKOUT_CALLABLE": "pacer_dashboard.access.views.locked_out",
        "AXES_DISABLE_ACCESS_LOG": True,
        "AXES_ENABLE_ADMIN": False,
        "AXES_VERBOSE": False,
        "AXES_USERNAME_FORM_FIELD": "username",
        "AXES_CLIENT_IP_CALLABLE": "pacer_dashboard.access.guessing.asker",
        "AXES_HANDLER": "pacer_dashboard.access.guessing.Guesses",
        "PACER_MOST_GUESSES_OF_AN_ADDRESS": 50,  # many people may share one, as behind a gateway
    }
