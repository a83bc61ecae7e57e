"""Addresses of single messages: a path where the correlation id is harmless in one, and else a parameter."""

from __future__ import annotations

import re
from urllib.parse import quote

from django.urls import reverse

_PLAIN = re.compile(r"(?!\.{1,2}$)[\w.:@+~=-]+", re.ASCII)


def message_url(correlation_id: str) -> str:
    """Give the permalink of a message.

    An id with slashes, dots alone or other signs would be changed on its way by browsers and proxies; it goes
    as a parameter.
    """
    if _PLAIN.fullmatch(correlation_id):
        return reverse("message", args=(correlation_id,))
    return f"{reverse('message-by-id')}?id={quote(correlation_id, safe='')}"
