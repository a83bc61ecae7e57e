"""All addresses, room by room."""

from __future__ import annotations

from django.urls import include, path

from pacer_dashboard import health

handler500 = "pacer_dashboard.trouble.failed"
urlpatterns = [
    path("status", health.status, name="status"),
    path("ready", health.ready, name="ready"),
    path("", include("pacer_dashboard.pages.urls")),
    path("", include("pacer_dashboard.live.urls")),
    path("", include("pacer_dashboard.access.urls")),
    path("", include("pacer_dashboard.again.urls")),
    path("", include("pacer_dashboard.system.urls")),
    path("", include("pacer_dashboard.checks.urls")),
    path("", include("pacer_dashboard.alerts.urls")),
    path("", include("pacer_dashboard.api.urls")),
]
