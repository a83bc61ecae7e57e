"""Who asks: the user that a proxy names, that a token stands for, or that this host's own people are."""

from __future__ import annotations

import hmac
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from attrs import frozen
from starlette.requests import HTTPConnection

from pacer_pacifica.service.options import Authentication, is_loopback
from pacer_pacifica.service.refusals import Refused

_FORWARDED = (
    "forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip",
)  # fmt: skip
"""Through a proxy on this host, from anywhere."""
_OF_A_BROWSER = ("origin", "sec-fetch-site")
"""From a page that this host's browser shows, whoever has written it."""


@frozen
class User:
    """Somebody who was let in."""

    name: str
    is_administrator: bool

    def may_see(self, owner: str) -> bool:
        """Say whether they may see, cancel and retry a job of somebody's."""
        return self.is_administrator or self.name == owner


class Door:
    """Lets in whom the options name."""

    def __init__(self, options: Authentication) -> None:
        self._options = options
        self._proxies = [ip_network(one) for one in (options.proxy.addresses if options.proxy else ())]
        self._tokens = [(one.user, one.token.reveal().encode()) for one in options.tokens]

    def user(self, request: HTTPConnection) -> User:
        """Give who asks.

        Raises
        ------
        Refused
            401 where that is nobody known.
        """
        name = self._by_token(request) or self._by_proxy(request) or self._by_address(request)
        if name is None:
            raise Refused(401, "say who you are: with the token that the facility gave you")
        return User(name, name in self._options.administrators)

    def _by_token(self, request: HTTPConnection) -> str | None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        found = None
        for user, token in self._tokens:  # all of them: how long it takes tells nothing
            if hmac.compare_digest(token, given.strip().encode()):
                found = user
        if found is None:
            raise Refused(401, "this token is not known here")
        return found

    def _by_proxy(self, request: HTTPConnection) -> str | None:
        proxy, peer = self._options.proxy, _peer(request)
        if proxy is None or peer is None or not any(peer in network for network in self._proxies):
            return None
        named = [one.strip() for one in request.headers.getlist(proxy.header)]
        if len(named) > 1:
            raise Refused(400, f"{proxy.header} names two users")
        return named[0] if named and named[0] else None

    def _by_address(self, request: HTTPConnection) -> str | None:
        peer, headers = _peer(request), request.headers
        if peer is None or not peer.is_loopback or not is_loopback(_host(headers.get("host", ""))):
            return None
        if any(one in headers for one in (*_FORWARDED, *_OF_A_BROWSER)):
            return None
        return self._options.anonymous


def _host(given: str) -> str:
    """Give the name or address in a ``Host`` header, without its port."""
    return given[1:].partition("]")[0] if given.startswith("[") else given.partition(":")[0].lower()


def _peer(request: HTTPConnection) -> IPv4Address | IPv6Address | None:
    """Give the address of who is at the other end of the connection."""
    if request.client is None:
        return None
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
