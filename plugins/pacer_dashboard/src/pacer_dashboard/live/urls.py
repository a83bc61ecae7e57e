"""The addresses of this room."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from pacer_dashboard.live.views import live

urlpatterns: list[URLPattern | URLResolver] = [path("live", live, name="live")]
"""One address; a server of WSGI alone answers it with 501."""
