"""The addresses of this room."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from pacer_dashboard.access import token_pages, views
from pacer_dashboard.access.admin import site

urlpatterns: list[URLPattern | URLResolver] = [
    path("login", views.Login.as_view(), name="login"),
    path("logout", views.leave, name="logout"),
    path("oidc/login", views.sign_in, name="oidc-login"),
    path("oidc/callback", views.callback, name="oidc-callback"),
    path("tokens", token_pages.tokens, name="tokens"),
    path("tokens/<int:pk>/withdraw", token_pages.withdraw, name="token-withdraw"),
    path("admin/", site.urls),
]
