"""The addresses of this room."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path, re_path

from pacer_dashboard.api.application import api, nothing_here
from pacer_dashboard.api.describe import description, openapi

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/openapi.json", openapi, name="openapi"),
    path("api/v1/", description, name="api"),
    path("api/v1/", api().urls),
    re_path(r"^api/", nothing_here),
]
