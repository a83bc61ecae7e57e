"""Which peers are believed when they say for whom they ask."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

Answer = Callable[[HttpRequest], HttpResponse]

SAID_BY_PROXIES = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PREFIX",
    "HTTP_X_REAL_IP",
    "HTTP_FORWARDED",
    "HTTP_VIA",
)
"""Headers that a reverse proxy adds (RFC 7239, RFC 9110 section 7.6.3), as WSGI and ASGI name them."""


class TrustedProxies:
    """Middleware, the first of all: believe what trusted proxies say, and forget what others do.

    ``REMOTE_ADDR`` becomes the nearest address that is no trusted proxy's, as login limits need it;
    ``X-Forwarded-Proto`` stays, and Django reads it, only where a trusted proxy has said it.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response
        self.trusted = networks(settings.PACER_TRUSTED_PROXIES)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request as the one it was at the proxy."""
        meta = request.META
        request.proxied = any(name in meta for name in SAID_BY_PROXIES)  # type: ignore[attr-defined] # ours
        peer = meta.get("REMOTE_ADDR", "")
        if self._trusts(peer):
            meta["REMOTE_ADDR"] = self._asker(peer, meta.get("HTTP_X_FORWARDED_FOR", ""))
        else:
            for name in SAID_BY_PROXIES:
                meta.pop(name, None)
        return self.get_response(request)

    def _asker(self, peer: str, said: str) -> str:
        """Give the last address of the chain that no trusted proxy has: what stands before it is hearsay."""
        for one in reversed([one.strip() for one in said.split(",") if one.strip()]):
            address = _address(_without_port(one))
            if address is None:
                return peer
            peer = str(address)
            if not self._trusts(peer):
                break
        return peer

    def _trusts(self, peer: str) -> bool:
        address = _address(peer)
        return address is not None and any(address in network for network in self.trusted)


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Give addresses and networks as they are compared.

    Raises
    ------
    ValueError
        Where one is neither.
    """
    return tuple(ipaddress.ip_network(text.strip(), strict=False) for text in texts if text.strip())


def _without_port(text: str) -> str:
    """Give an address as it is written without the port that some balancers say: ``[2001:db8::1]:443``."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
