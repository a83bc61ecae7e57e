"""The YAML options of the integration ``scicat``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Literal

from attrs import field, frozen, validators

from pacer_core import Secret
from pacer_http import is_url

_VERSION = re.compile(r"/api(?:/(v[34]))?/?$")

Version = Literal["auto", "v3", "v4"]


@frozen
class ScicatOptions:
    """A SciCat backend, and the account that PACER has there.

    Attributes
    ----------
    url
        The backend (``https://scicat.example.org``, or with ``/api/v3`` behind it).
    username, password
        The account to log in with; its token is renewed by itself.
    token
        Instead: a token that somebody else has made.
    token_file
        Instead: a file that holds the token, and is read again when it has changed, or is refused.
    api
        The version of the interface: ``v3`` where there is one, else ``v4``, unless it is named.
    ingestor_group
        The account's own group, which gets access to what PACER creates, so that it can read it back; by
        default the one that is called like the account. ``""`` for none.
    headers
        What every request carries beside, for a proxy for instance.
    timeout
        How long an answer may take: blocks of thousands of files take a backend half a minute.
    ca_file
        A file of certificates (PEM) to trust instead of the system's.
    """

    url: str = field(validator=is_url)
    username: str | None = None
    password: Secret | None = None
    token: Secret | None = None
    token_file: str | None = None
    api: Version = "auto"
    ingestor_group: str | None = None
    headers: dict[str, str] = field(factory=dict, repr=False)
    timeout: timedelta = field(default=timedelta(minutes=2), validator=validators.gt(timedelta(0)))
    ca_file: str | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse none, and more than one, of the three ways to be somebody."""
        ways = [self.username is not None, self.token is not None, self.token_file is not None]
        if sum(ways) != 1:
            raise ValueError("give one of username with password, token and tokenFile")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together")

    @property
    def root(self) -> str:
        """The backend's address without a version."""
        return _VERSION.sub("", self.url)

    @property
    def named_version(self) -> str | None:
        """The version that is named, here or in the address; ``None`` where the backend has to be asked."""
        if self.api != "auto":
            return self.api
        found = _VERSION.search(self.url)
        return found[1] if found else None
