"""The HTTP end of ICAT: one pool of connections for all threads of a process. The only door to urllib3."""

from __future__ import annotations

import re
import ssl
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pacer_icat.faults import IcatAway

if TYPE_CHECKING:
    import urllib3

_CONNECT_SECONDS = 10.0
_HEADERS = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""', "Accept": "text/xml"}


class Http:
    """Posts envelopes to one ICAT; safe to use from many threads.

    Parameters
    ----------
    endpoint
        The address of the SOAP service.
    timeout
        How long an answer may take.
    ca_file
        Certificates to trust instead of the system's.
    """

    def __init__(self, endpoint: str, *, timeout: timedelta, ca_file: str | None = None) -> None:
        import urllib3  # not with the plugin, which every command loads

        parts = urlsplit(endpoint)
        self._path = parts.path
        seconds = timeout.total_seconds()
        limits = urllib3.Timeout(connect=min(_CONNECT_SECONDS, seconds), read=seconds)
        if parts.scheme == "https":
            self._pool: urllib3.HTTPConnectionPool = urllib3.HTTPSConnectionPool(
                parts.hostname or "",
                parts.port,
                timeout=limits,
                maxsize=64,
                ssl_context=ssl.create_default_context(cafile=ca_file),
            )
        else:
            self._pool = urllib3.HTTPConnectionPool(
                parts.hostname or "", parts.port, timeout=limits, maxsize=64
            )

    def post(self, body: bytes) -> tuple[int, bytes]:
        """Send one envelope; give the status and the body of the answer.

        Nothing is sent twice: what a lost answer stands for, only the caller can find out.

        Raises
        ------
        IcatAway
            Where nobody answers, or not in time.
        """
        import urllib3

        try:
            answer = self._pool.urlopen(
                "POST", self._path, body=body, headers=_HEADERS, retries=False, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            where = self._pool.host if self._pool.port is None else f"{self._pool.host}:{self._pool.port}"
            raise IcatAway(f"ICAT does not answer at {where}: {_why(error)}") from error
        return answer.status, answer.data

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._pool.close()


# urllib3 begins with where it was connected to, in its own classes' words.
_POOL = re.compile(r"^HTTPS?Connection(Pool)?\(host=[^)]*\): ")


def _why(error: urllib3.exceptions.HTTPError) -> str:
    text = str(error)
    text = _POOL.sub("", text.rpartition(">: ")[2] or text)
    return f"{type(error).__name__}: {text}"
