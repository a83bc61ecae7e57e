"""Everything the pages can do, a program can do: each address of a page has its operations of the API."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver

from pacer_dashboard.api.application import schema

OPERATIONS = {
    f"{method.upper()} {path.removeprefix('/api/v1')}"
    for path, methods in schema()["paths"].items()
    for method in methods
}
AGAIN = ("POST /again/preview", "POST /again")
PAGES: dict[str, tuple[str, ...]] = {
    "messages": ("GET /messages", "GET /messages/estimate"),
    "message": ("GET /message",),
    "message-by-id": ("GET /message", "GET /difference"),
    "export": ("GET /messages/export",),
    "raw": ("GET /payload",),
    "live": ("GET /changes",),
    "errors": ("GET /errors",),
    "error": ("GET /errors/{group}", "GET /errors/{group}/touched"),
    "errors-resolve": ("POST /errors/status",),
    "errors-ignore": ("POST /errors/status",),
    "errors-reopen": ("POST /errors/status",),
    "errors-merge": ("POST /errors/merge",),
    "errors-split": ("POST /errors/split",),
    "acknowledge": ("POST /messages/acknowledge", "POST /messages/unacknowledge"),
    "statistics": ("GET /statistics", "GET /statistics/series"),
    "statistics-csv": ("GET /statistics", "GET /statistics/series"),
    "views": ("GET /views", "POST /views"),
    "view": ("PATCH /views/{view}", "DELETE /views/{view}"),
    "again": ("GET /again",),
    "again-one": AGAIN,
    "again-new": AGAIN,
    "again-batch": ("GET /again/{batch}", "GET /again/{batch}/items"),
    "again-cancel": ("POST /again/{batch}/cancel",),
    "again-failed": ("GET /again/{batch}/items", *AGAIN),
    "dead": ("GET /dead",),
    "dead-letter": ("GET /dead/letters/{letter}",),
    "dead-act": ("POST /dead/replay", "POST /dead/discard"),
    "audit": ("GET /audit",),
    "checks": ("GET /checks", "GET /checks/runs"),
    "check": ("GET /checks/{check}",),
    "alerts": ("GET /alerts", "GET /alerts/events"),
    "alert-new": ("POST /alerts",),
    "alert": ("GET /alerts/{rule}", "PATCH /alerts/{rule}"),
    "alert-test": ("POST /alerts/{rule}/test",),
    "alert-delete": ("DELETE /alerts/{rule}",),
    "tokens": ("GET /tokens", "POST /tokens"),
    "token-withdraw": ("DELETE /tokens/{token}",),
    "system": ("GET /system",),
    "login": ("GET /me", "GET /counts"),
}
"""By the name of a page's address, what does the same by the API."""
OF_BROWSERS_ALONE = {
    "logout": "a token has no session that could end",
    "oidc-login": "programs show a token",
    "oidc-callback": "programs show a token",
    "theme": "light or dark is a browser's own",
    "styleguide": "it shows the elements of pages to who writes them",
    "status": "it is no page: what watches servers asks it",
    "ready": "it is no page: what watches servers asks it",
    "api": "it is the API's own description",
    "openapi": "it is the API's own description",
}
"""Addresses without an operation, and why.

The admin pages (accounts, roles) are left out as a whole: who could give roles by a token would have more
than the token's role. `pacer dashboard user` does it where one has a shell.
"""


def _names(patterns: list[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    for one in patterns:
        route = before + str(one.pattern)
        if route.startswith("admin/") or (route.startswith("api/v1/") and isinstance(one, URLResolver)):
            continue
        if isinstance(one, URLResolver):
            yield from _names(one.url_patterns, route)
        elif one.name:
            yield one.name


def test_each_page_has_its_operations_or_a_reason_why_not() -> None:
    names = {*_names(get_resolver().url_patterns)}
    assert len(names) > 40
    assert names == {*PAGES, *OF_BROWSERS_ALONE}


def test_each_operation_is_there_and_none_is_without_a_page() -> None:
    assert {one for operations in PAGES.values() for one in operations} == OPERATIONS
