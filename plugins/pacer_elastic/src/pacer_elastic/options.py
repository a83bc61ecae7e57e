"""The YAML options of the integration ``elastic``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from attrs import field, frozen

from pacer_core import Secret
from pacer_http import is_url

_INDEX = re.compile(r'[^A-Z\\/*?"<>| ,#:\s]+')


def is_index(name: str) -> bool:
    """Tell whether an index may have this name, as Elasticsearch's documentation of ``PUT /index`` has it."""
    return (
        _INDEX.fullmatch(name) is not None
        and name[0] not in "-_+"
        and name not in (".", "..")
        and len(name.encode()) <= 255
    )


def _is_index(_: Any, __: Any, name: str) -> None:
    if not is_index(name):
        raise ValueError("is no name of an index: lower case, without blanks and most punctuation")


@frozen
class ElasticOptions:
    """An Elasticsearch or OpenSearch, and the account that PACER uses there.

    Attributes
    ----------
    url
        The server.
    username, password
        An account, where there are accounts.
    api_key
        An API key instead of them, as Elasticsearch hands it out encoded.
    index
        The index, or alias, of datasets. Where it does not exist it is created with PACER's mapping.
    timeout
        How long an answer may take.
    ca_file
        A file of certificates (PEM) to trust instead of the system's.
    """

    url: str = field(validator=is_url)
    username: str | None = None
    password: Secret | None = None
    api_key: Secret | None = None
    index: str = field(default="datasets", validator=_is_index)
    timeout: timedelta = timedelta(seconds=30)
    ca_file: str | None = None

    def __attrs_post_init__(self) -> None:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        if self.api_key is not None and self.username is not None:
            raise ValueError("has an account and an API key: give one of them")

    @property
    def account(self) -> tuple[str, Secret] | None:
        """The account, or ``None``."""
        if self.username is None or self.password is None:
            return None
        return self.username, self.password

    @property
    def authorization(self) -> tuple[str, Secret] | None:
        """The API key with its scheme, or ``None``."""
        return None if self.api_key is None else ("ApiKey", self.api_key)
