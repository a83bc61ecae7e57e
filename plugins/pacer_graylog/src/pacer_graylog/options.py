"""The YAML options of the log handler ``graylog``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen, validators

from pacer_core import Secret

SCHEMES = ("udp", "tcp", "tls", "http", "https")
PORT = 12201
"""Graylog's usual port for GELF, where the address names none."""
_SHOULD = "should be such as udp://graylog.example.org:12201; there are udp, tcp, tls, http and https"


def _is_address(_: Any, __: Any, url: str) -> None:
    try:
        parts = urlsplit(url)
        known = parts.scheme in SCHEMES and bool(parts.hostname) and (parts.port or PORT) > 0
    except ValueError:
        known = False
    if not known:
        raise ValueError(_SHOULD)
    if parts.username or parts.password:
        raise ValueError("should have no account in it: give username and password apart")


@frozen(kw_only=True)
class GraylogOptions:
    """Where the log goes.

    Attributes
    ----------
    url
        An input of Graylog's for GELF: ``udp://``, ``tcp://``, ``tls://``, ``http://`` or ``https://`` with
        host and port (12201 where there is none), and a path for HTTP (``/gelf`` where there is none).
    facility
        ``_facility`` of every record.
    environment
        ``_service_environment`` of every record, such as ``production``.
    chunk_size
        How many bytes a datagram has at most; 1420 go through any network, 8154 through a local one.
    compress
        Whether what goes by datagrams is compressed.
    timeout
        How long connecting and an answer may take.
    username, password
        An account for HTTP, where a proxy before Graylog wants one.
    ca_file
        Certificates to trust, PEM; without it, the system's.
    """

    url: str = field(validator=_is_address)
    facility: str | None = None
    environment: str | None = None
    chunk_size: int = field(default=1420, validator=[validators.ge(100), validators.le(65_000)])
    compress: bool = True
    timeout: timedelta = field(default=timedelta(seconds=10), validator=validators.gt(timedelta(0)))
    username: str | None = None
    password: Secret | None = None
    ca_file: str | None = None

    @property
    def scheme(self) -> str:
        """How records travel."""
        return urlsplit(self.url).scheme

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return str(parts.hostname), parts.port or PORT

    @property
    def path(self) -> str:
        """Where Graylog takes GELF over HTTP."""
        path = urlsplit(self.url).path
        return path if path not in ("", "/") else "/gelf"
