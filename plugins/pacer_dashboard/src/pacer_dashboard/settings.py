"""Django's settings, from the environment: under ICAT-PACER's names where it has them."""

from __future__ import annotations

import os
from pathlib import Path

from pacer_core import PacerError
from pacer_dashboard.access.configuration import access_settings
from pacer_dashboard.place import from_environment

BASE = Path(__file__).parent


def _is_on(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in ("1", "true", "yes", "on")


def _port(name: str, default: int) -> int:
    said = os.environ.get(name, "").strip()
    if said and not (said.isascii() and said.isdecimal() and len(said) < 6 and 0 < int(said) < 65536):
        raise PacerError(f"{name} is {said!r}: write a number from 1 to 65535")
    return int(said or default)


DEBUG = _is_on("PACER_DASHBOARD_DEBUG")
DATABASE = from_environment()
DATABASE_FOLDER = DATABASE.folder
globals().update(access_settings(os.environ, embedded=DATABASE.url is None))

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "pacer_dashboard.apps.DashboardConfig",
]
MIDDLEWARE = [
    "pacer_dashboard.access.proxies.TrustedProxies",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "pacer_dashboard.pages.sound.SoundText",
    "pacer_dashboard.access.middleware.ViewerOfRequest",
    "pacer_dashboard.api.problems.NotAllowed",
    "axes.middleware.AxesMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE / "pages" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
ROOT_URLCONF = "pacer_dashboard.urls"
ASGI_APPLICATION = "pacer_dashboard.asgi.application"
WSGI_APPLICATION = "pacer_dashboard.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

DATABASES = {"default": DATABASE.settings()}

STATIC_URL = "static/"
STATIC_ROOT = os.environ.get("PACER_DASHBOARD_STATIC") or None
STATICFILES_DIRS = [one for one in [BASE / "pages" / "static"] if one.is_dir()]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True

LANGUAGE_CODE = "en"
USE_I18N = True
LOCALE_PATHS = [BASE / "locale"]
USE_TZ = True
TIME_ZONE = os.environ.get("TIME_ZONE") or "UTC"

LOGGING_CONFIG = None  # PACER's own, or the server's

EMAIL_HOST = os.environ.get("EMAIL_HOST", "")
EMAIL_PORT = _port("EMAIL_PORT", 25)
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = _is_on("EMAIL_USE_TLS")
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL") or "pacer@localhost"
