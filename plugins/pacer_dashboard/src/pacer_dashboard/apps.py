"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    """PACER's dashboard as Django knows it."""

    name = "pacer_dashboard"
    label = "pacer_dashboard"
    verbose_name = "Who may see what"
    default_auto_field = "django.db.models.BigAutoField"
