"""The addresses of this room."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from pacer_dashboard.alerts import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("alerts/", views.listed, name="alerts"),
    path("alerts/new", views.edit, name="alert-new"),
    path("alerts/<int:id_>", views.edit, name="alert"),
    path("alerts/<int:id_>/test", views.try_out, name="alert-test"),
    path("alerts/<int:id_>/delete", views.delete, name="alert-delete"),
]
