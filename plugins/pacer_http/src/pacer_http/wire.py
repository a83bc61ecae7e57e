"""Requests to one service, by httpcore, which httpx is made of: what a request costs is spent there.

On loopback a PUT of 4 KiB takes 0.25 ms of CPU so, and 0.5 ms by httpx's client, which reads the address anew
for each request, and keeps cookies, an order of authentication and a history of redirections for it.
"""

from __future__ import annotations

import ssl
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

from pacer_core import PacerError

if TYPE_CHECKING:
    import httpcore

_SAFE = "!#$%&'()*+,/:;=?@[]~"
"""What a path may hold as it is, beside letters and digits; ``%`` is of what is quoted already."""
_PORTS = {"http": 80, "https": 443}
ENCODINGS = "gzip, deflate"


class Wire:
    """The connections to the service at an address; threads share them.

    A proxy is taken from the environment, once: ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY``, ``NO_PROXY``.

    Raises
    ------
    PacerError
        Where the environment names a proxy of a kind that is not spoken.
    """

    def __init__(self, name: str, url: str, trust: ssl.SSLContext, timeout: Mapping[str, float]) -> None:
        # Imported here: not with the plugin, which every command loads.
        import httpcore

        from pacer_http.connections import Connections

        parts = urlsplit(url)
        self._core, self._timeout = httpcore, {"timeout": dict(timeout)}
        self._scheme, self._host = parts.scheme.encode(), (parts.hostname or "").encode("idna")
        self._port = parts.port
        literal = b"[%s]" % self._host if b":" in self._host else self._host
        self._named = literal if self._port is None else b"%s:%d" % (literal, self._port)
        at = httpcore.Origin(self._scheme, self._host, self._port or _PORTS[parts.scheme])
        maker = _maker(name, parts.scheme, parts.hostname or "", trust)
        self._connections = Connections(partial(maker.create_connection, at))

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def answer(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        content: bytes | Iterable[bytes] | None,
    ) -> AbstractContextManager[httpcore.Response]:
        """Send a request on entry; give the answer, whose body is still to be read.

        Raises
        ------
        httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.ProxyError
            Where there is none.
        """
        request = self._core.Request(
            method,
            self._core.URL(scheme=self._scheme, host=self._host, port=self._port, target=_target(path)),
            headers=[(b"Host", self._named), *((_bytes(key), _bytes(one)) for key, one in headers.items())],
            content=content,
            extensions=self._timeout,
        )
        return self._connections.answer(request)


def decoded(blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Give a body as it was before it was packed for its way.

    Raises
    ------
    zlib.error
        Where it is damaged.
    """
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        yield from blocks
        return
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 32)  # tells gzip and zlib by their first bytes
    for block in blocks:
        if found := unpack.decompress(block):
            yield found
    if found := unpack.flush():
        yield found


def _target(path: str) -> bytes:
    """Give a path and a query as they are sent."""
    return quote(path if path.startswith("/") else f"/{path}", safe=_SAFE).encode("ascii")


def _bytes(text: str) -> bytes:
    return text.encode("ascii")


def _maker(name: str, scheme: str, host: str, trust: ssl.SSLContext) -> httpcore.ConnectionPool:
    """Give what makes connections: straight ones, or such by a proxy."""
    import httpcore

    from pacer_http.sockets import Sockets

    found = getproxies()
    proxy = found.get(scheme) or found.get("all")
    if not proxy or proxy_bypass(host):
        return httpcore.ConnectionPool(ssl_context=trust, network_backend=Sockets())
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise PacerError(f"{name}: the environment names a proxy for {scheme} that is no http:// address")
    auth = None if parts.username is None else (parts.username.encode(), (parts.password or "").encode())
    where = httpcore.URL(
        scheme=parts.scheme.encode(), host=parts.hostname.encode(), port=parts.port, target=b"/"
    )
    return httpcore.HTTPProxy(where, proxy_auth=auth, ssl_context=trust)
