"""Who guesses passwords is stopped: at one account after a few, and at many accounts after some more."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest
from django.utils import timezone

_NET = 64  # bits of an IPv6 address: who has one address of such a net has all of them


class Guesses(AxesDatabaseHandler):  # type: ignore[misc] # axes has no types
    """Locks an address out of one account, and out of all where it tries one password on many of them."""

    def is_locked(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        """Tell whether an address may not try now."""
        if _failures(asker(request)) >= _most():
            request.axes_locked_out = True  # type: ignore[attr-defined] # axes' word: it answers with 429
            return True
        return bool(super().is_locked(request, credentials))


def asker(request: HttpRequest) -> str:
    """Give the address that asks, as :class:`TrustedProxies` found it; of IPv6 the net that it is in."""
    said = str(request.META.get("REMOTE_ADDR", ""))
    try:
        address = ipaddress.ip_address(said)
    except ValueError:
        return said
    if address.version == 4 or address.ipv4_mapped:
        return said
    return str(ipaddress.ip_network((address, _NET), strict=False).network_address)


def _failures(address: str) -> int:
    since = timezone.now() - timedelta(hours=settings.AXES_COOLOFF_TIME)
    tried = AccessAttempt.objects.filter(ip_address=address or None, attempt_time__gte=since)
    return tried.aggregate(number=Sum("failures_since_start"))["number"] or 0


def _most() -> int:
    most: int = settings.PACER_MOST_GUESSES_OF_AN_ADDRESS
    return most
