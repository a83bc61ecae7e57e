"""The addresses of this room."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path, re_path

from pacer_dashboard.pages import errors, export, listing, message, saved, statistics
from pacer_dashboard.pages.chosen_theme import choose_theme
from pacer_dashboard.pages.styleguide import styleguide

urlpatterns: list[URLPattern | URLResolver] = [
    path("", listing.messages, name="messages"),
    path("messages/", message.message, name="message-by-id"),
    path("messages/<path:correlation_id>", message.message, name="message"),
    re_path(r"^messages\.(?P<form>csv|jsonl)$", export.export_list, name="export"),
    path("payload", message.raw, name="raw"),
    path("errors/", errors.errors, name="errors"),
    path("errors/<int:id_>", errors.error, name="error"),
    path("statistics/", statistics.statistics, name="statistics"),
    path("statistics/<slug:name>.csv", statistics.statistics_csv, name="statistics-csv"),
    path("views/", saved.views, name="views"),
    path("views/<int:id_>", saved.view, name="view"),
    path("theme", choose_theme, name="theme"),
    path("styleguide", styleguide, name="styleguide"),
]
