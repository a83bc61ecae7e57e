"""The addresses of this room."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from pacer_dashboard.pages.chosen_theme import choose_theme
from pacer_dashboard.pages.styleguide import styleguide

urlpatterns: list[URLPattern | URLResolver] = [
    path("theme", choose_theme, name="theme"),
    path("styleguide", styleguide, name="styleguide"),
]
