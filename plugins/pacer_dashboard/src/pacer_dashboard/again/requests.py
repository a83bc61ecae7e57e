"""What views share: who asks, and what a request may say."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.http import url_has_allowed_host_and_scheme

from pacer_dashboard.access.asking import viewer_of
from pacer_dashboard.query import Right

LARGEST = 2**63 - 1
"""What a database has for a number: larger ones are nobody's."""


def may(request: HttpRequest, right: Right) -> bool:
    """Tell whether who asks has a right on any message."""
    return viewer_of(request).has(right)


def back(request: HttpRequest, name: str) -> str:
    """Give where a person came from, if that is ours, or else a page."""
    came = request.POST.get("next") or request.META.get("HTTP_REFERER", "")
    if came and url_has_allowed_host_and_scheme(
        came, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return came
    return address(name)


def address(name: str) -> str:
    """Give a page's address, or that of the root where it is not there."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return reverse("again")
