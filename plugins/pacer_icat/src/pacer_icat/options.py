"""The YAML options of the integration ``icat``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from attrs import field, frozen

from pacer_core import Secret
from pacer_icat.times import zone_of

SERVICE = "/ICATService/ICAT"


def _is_http(_: Any, __: Any, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is no http:// or https:// URL")
    if parts.username or parts.password:
        raise ValueError("holds credentials: put them in username and password")


def _is_zone(_: Any, __: Any, name: str | None) -> None:
    zone_of(name)


@frozen
class IcatOptions:
    """An ICAT server and the account that PACER uses there.

    Attributes
    ----------
    url
        The server (``https://icat.example.org``), or the address of its WSDL.
    authenticator
        The mnemonic of the authenticator that knows the account.
    username, password
        The account. It needs the rights to read and write what the consumers write.
    facility
        The name of the facility in ICAT; without it, the only one there.
    time_zone
        The facility's zone (``Europe/Madrid``): that of times without an offset, in messages as in ICAT's
        queries. It should be the server's. Without it, this machine's.
    timeout
        How long one answer may take; a dataset with 30 000 files may keep a server busy for 15 s.
    ca_file
        A file of certificates (PEM) to trust instead of the system's.
    file_counts
        Who keeps ``fileCount`` and ``fileSize`` of datasets and investigations: triggers in the
        ``database``, or ``pacer``; ``auto`` finds out.
    """

    url: str = field(validator=_is_http)
    authenticator: str
    username: str
    password: Secret
    facility: str | None = None
    time_zone: str | None = field(default=None, validator=_is_zone)
    timeout: timedelta = timedelta(minutes=2)
    ca_file: str | None = None
    file_counts: Literal["auto", "database", "pacer"] = "auto"

    @property
    def endpoint(self) -> str:
        """Where SOAP requests go."""
        parts = urlsplit(self.url)
        path = parts.path.rstrip("/") or SERVICE
        return f"{parts.scheme}://{parts.netloc}{path}"
