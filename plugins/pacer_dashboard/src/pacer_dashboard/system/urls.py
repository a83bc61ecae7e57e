"""The addresses of this room."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from pacer_dashboard.system import views

urlpatterns: list[URLPattern | URLResolver] = [path("system/", views.system, name="system")]
