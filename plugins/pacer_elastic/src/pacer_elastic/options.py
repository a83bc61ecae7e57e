"""The YAML options of the integration ``elastic``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Protocol, TypedDict

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


def valid_index(_: Any, __: Any, name: str) -> None:
    """Validate an option, as attrs validators do: the name of an index."""
    if not is_index(name):
        raise ValueError("is no name of an index: lower case, without blanks and most punctuation")


class WithCredentials(Protocol):
    """Options with an account or an API key, or without either."""

    @property
    def username(self) -> str | None:
        """The account's name."""
        ...

    @property
    def password(self) -> Secret | None:
        """Its password."""
        ...

    @property
    def api_key(self) -> Secret | None:
        """An API key instead."""
        ...


def valid_credentials(options: WithCredentials) -> None:
    """Refuse half an account, and two ways to log in.

    Raises
    ------
    ValueError
        Saying which.
    """
    if (options.username is None) != (options.password is None):
        raise ValueError("username and password go together")
    if options.api_key is not None and options.username is not None:
        raise ValueError("has an account and an API key: give one of them")


class Credentials(TypedDict):
    """What `pacer_http.HttpClient` takes."""

    account: tuple[str, Secret] | None
    authorization: tuple[str, Secret] | None


def credentials(options: WithCredentials) -> Credentials:
    """Give the account or API key as `pacer_http.HttpClient` takes it."""
    account = None
    if options.username is not None and options.password is not None:
        account = (options.username, options.password)
    key = None if options.api_key is None else ("ApiKey", options.api_key)
    return {"account": account, "authorization": key}


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
    index: str = field(default="datasets", validator=valid_index)
    timeout: timedelta = timedelta(seconds=30)
    ca_file: str | None = None

    def __attrs_post_init__(self) -> None:
        valid_credentials(self)
