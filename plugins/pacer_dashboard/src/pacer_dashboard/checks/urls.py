"""The addresses of this room."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from pacer_dashboard.checks import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("checks/", views.listed, name="checks"),
    path("checks/<int:id_>", views.shown, name="check"),
]
