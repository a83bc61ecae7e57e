"""Tags and filters of the pages: ``{% load pacer %}``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, gettext_lazy

from pacer_dashboard.pages import links, text
from pacer_dashboard.pages.icons import ICONS

register = template.Library()

PAGES = (
    ("messages", gettext_lazy("Messages"), "messages"),
    ("errors", gettext_lazy("Errors"), "errors"),
    ("statistics", gettext_lazy("Statistics"), "statistics"),
    ("system", gettext_lazy("System"), "system"),
    ("checks", gettext_lazy("Checks"), "checks"),
    ("alerts", gettext_lazy("Alerts"), "alerts"),
    ("again", gettext_lazy("Sent again"), "again"),
    ("audit", gettext_lazy("Audit"), "audit"),
)
"""What stands in the bar: the name of the URL, the word, the icon. One whose URL is not there is left out."""
STATES = {
    "acked": gettext_lazy("done"),
    "retried": gettext_lazy("retrying"),
    "dead": gettext_lazy("dead"),
    "open": gettext_lazy("open"),
    "resolved": gettext_lazy("resolved"),
    "ignored": gettext_lazy("ignored"),
    "unknown": gettext_lazy("unknown"),
    "missing": gettext_lazy("missing"),
}
_SIGNS = {"open": "errors", "resolved": "acked", "unknown": "info", "missing": "dead"}

register.filter("duration", text.duration)
register.filter("number", text.number)


@register.filter
def visible(value: object, most: int | None = None) -> str:
    """Show what others wrote: controls as pictures, at most so many characters."""
    return "" if value is None else text.visible(value, most)


@register.filter
def estimate(value: Any) -> str:
    """Show an `Estimate`: a count, or about how many."""
    return text.about(value.number, exact=value.exact)


@register.filter
def get(mapping: Mapping[str, Any] | None, key: str) -> Any:
    """Look a key up."""
    return None if mapping is None else mapping.get(key)


@register.simple_tag
def icon(name: str) -> SafeString:
    """Draw a sign; what it means stands beside it, in words."""
    return mark_safe(  # noqa: S308 - our own strokes
        f'<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">{ICONS[name]}</svg>'
    )


@register.simple_tag
def state(value: str, word: str = "") -> SafeString:
    """Show a state: a colour, a sign and a word."""
    known = value in STATES
    sign = _SIGNS.get(value, value)
    return format_html(
        '<span class="badge {}">{}{}</span>',
        value if known else "calm",
        icon(sign) if sign in ICONS else "",
        word or (STATES[value] if known else text.visible(value, 40)),
    )


@register.simple_tag
def moment(value: datetime | None, form: str = "full") -> SafeString:
    """Show a time in the time zone of the pages; its forms are ``full``, ``day``, ``clock`` and ``fine``."""
    if value is None:
        return mark_safe("")
    local = timezone.localtime(value)
    shown = {
        "full": f"{local:%Y-%m-%d %H:%M:%S}",
        "clock": f"{local:%H:%M:%S}",
        "day": f"{local:%Y-%m-%d}",
        "fine": f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}",
    }[form]
    return format_html('<time class="nowrap" datetime="{}">{}</time>', local.isoformat(), shown)


@register.simple_tag(takes_context=True)
def navigation(context: template.RequestContext) -> list[dict[str, Any]]:
    """Give the pages that are there, and which of them this one belongs to."""
    path = context["request"].path if "request" in context else ""
    found: list[dict[str, Any]] = []
    for name, word, sign in PAGES:
        try:
            url = reverse(name)
        except NoReverseMatch:
            continue
        found.append({"url": url, "word": word, "icon": sign, "name": name})
    # The list is at the root, which every path begins with: the longest that fits is the page's own.
    fits = [one for one in found if path.startswith(one["url"])]
    here = max(fits, key=lambda one: len(one["url"]), default=None)
    root = found[0]["url"] if found else ""
    for one in found:
        inside = one is here and (one["url"] != root or path == root or path.startswith(f"{root}messages/"))
        one["here"] = inside
    return found


@register.simple_tag(takes_context=True)
def theme(context: template.RequestContext) -> str:
    """Give what the person chose: ``light``, ``dark``, or nothing, which is as the system has it."""
    chosen = context["request"].COOKIES.get("pacer_theme", "") if "request" in context else ""
    return chosen if chosen in ("light", "dark") else ""


@register.simple_tag(takes_context=True)
def asked(context: template.RequestContext, **changes: Any) -> str:
    """Give the query of this page with some parameters changed; ``None`` takes one away."""
    query = context["request"].GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value is not None and value != "":
            query[name] = value
    return f"?{query.urlencode()}" if query else "?"


@register.simple_tag
def version() -> str:
    """Give the version of the dashboard."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pacer-dashboard")
    except PackageNotFoundError:
        return gettext("unknown")


@register.simple_tag
def message_url(correlation_id: str) -> str:
    """Give the permalink of a message."""
    return links.message_url(correlation_id)
