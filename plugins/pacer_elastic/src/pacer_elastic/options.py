"""The YAML options of a server, and of the integration ``elastic`` there."""

from __future__ import annotations

import re
from datetime import timedelta
from fnmatch import fnmatchcase
from glob import escape
from typing import Any, TypedDict

from attrs import field, frozen, validators

from pacer_core import Secret
from pacer_http import is_url

_INDEX = re.compile(r'[^\\/*?"<>|,#:\s]+')
_WILD = re.compile(r"[*?]")


def is_index(name: str) -> bool:
    """Tell whether an index may have this name, as Elasticsearch's documentation of ``PUT /index`` has it.

    A leading dot is for the server's own indexes (``.security``), and for hidden ones.
    """
    return (
        _INDEX.fullmatch(name) is not None
        and name.isprintable()
        and name == name.lower()
        and name[0] not in "-_+."
        and len(name.encode()) <= 255
    )


RULE = "lower case, without blanks and most punctuation, and without a dot, -, _ or + in front"


def valid_index(_: Any, __: Any, name: str) -> None:
    """Validate an option, as attrs validators do: the name of an index."""
    if not is_index(name):
        raise ValueError(f"is no name of an index: {RULE}")


def _valid_patterns(_: Any, __: Any, patterns: tuple[str, ...] | None) -> None:
    for pattern in patterns or ():
        if not is_index(_WILD.sub("x", pattern)):
            raise ValueError(
                f"{pattern!r} is no pattern of indexes: * and ? stand for characters; else {RULE}"
            )


class Credentials(TypedDict):
    """What `pacer_http.HttpClient` takes."""

    account: tuple[str, Secret] | None
    authorization: tuple[str, Secret] | None


@frozen(kw_only=True)
class Server:
    """An Elasticsearch or OpenSearch, and the account that PACER uses there.

    Attributes
    ----------
    url
        The server.
    username, password
        An account, where there are accounts.
    api_key
        An API key instead of them, as Elasticsearch hands it out encoded.
    timeout
        How long an answer may take.
    ca_file
        A file of certificates (PEM) to trust instead of the system's.

    Raises
    ------
    ValueError
        Of half an account, and of two ways to log in, saying which.
    """

    url: str = field(validator=is_url, kw_only=False)
    username: str | None = None
    password: Secret | None = None
    api_key: Secret | None = None
    timeout: timedelta = field(default=timedelta(seconds=30), validator=validators.gt(timedelta(0)))
    ca_file: str | None = None

    def __attrs_post_init__(self) -> None:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        if self.api_key is not None and self.username is not None:
            raise ValueError("has an account and an API key: give one of them")

    @property
    def credentials(self) -> Credentials:
        """The account or API key as `pacer_http.HttpClient` takes it."""
        account = None
        if self.username is not None and self.password is not None:
            account = (self.username, self.password)
        key = None if self.api_key is None else ("ApiKey", self.api_key)
        return {"account": account, "authorization": key}


@frozen(kw_only=True)
class ElasticOptions(Server):
    """An Elasticsearch or OpenSearch, and the account that PACER uses there.

    Attributes
    ----------
    index
        The index, or alias, of datasets. Where it does not exist it is created with PACER's mapping.
    indexes
        Other indexes that messages may name: names, or patterns (``[datasets-20??, test-*]``). Without it,
        those that begin with ``index`` and a hyphen.
    """

    index: str = field(default="datasets", validator=valid_index)
    indexes: tuple[str, ...] | None = field(default=None, validator=_valid_patterns)

    def may_write(self, index: str) -> bool:
        """Tell whether a message may name an index."""
        patterns = (f"{escape(self.index)}-*",) if self.indexes is None else self.indexes
        return index == self.index or any(fnmatchcase(index, one) for one in patterns)
