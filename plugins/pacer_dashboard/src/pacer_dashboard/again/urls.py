"""The addresses of this room."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from pacer_dashboard.again import letter_pages, said, views

urlpatterns: list[URLPattern | URLResolver] = [
    path("again/", views.listed, name="again"),
    path("again/one", views.one, name="again-one"),
    path("again/new", views.new, name="again-new"),
    path("again/<int:id_>", views.shown, name="again-batch"),
    path("again/<int:id_>/cancel", views.cancel, name="again-cancel"),
    path("again/<int:id_>/failed", views.failed, name="again-failed"),
    path("again/dead/", letter_pages.listed, name="dead"),
    path("again/dead/act", letter_pages.act, name="dead-act"),
    path("again/dead/<slug:id_>", letter_pages.shown, name="dead-letter"),
    path("acknowledge", said.acknowledge, name="acknowledge"),
    *(
        path(f"errors/{what}", said.errors, {"what": what}, name=f"errors-{what}")
        for what in ("resolve", "ignore", "reopen", "merge", "split")
    ),
    path("audit/", said.audit, name="audit"),
]
