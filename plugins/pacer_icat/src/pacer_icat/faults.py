"""What ICAT answers instead of a result, and what its absence looks like."""

from __future__ import annotations

import re

from pacer_core import PacerError, Retry

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_DEADLOCK = re.compile(r"deadlock found|lock wait timeout|\b1213\b|\b1205\b", re.IGNORECASE)
_DUPLICATE = re.compile(r"duplicate entry|unique constraint|duplicate key", re.IGNORECASE)
_DATABASE_AWAY = re.compile(
    r"communications link failure|could not connect|connection refused|connection is closed|"
    r"in allocating a connection|no operations allowed after connection closed|too many connections",
    re.IGNORECASE,
)
_LONGEST = 300


class IcatFault(PacerError):
    """A refusal by ICAT: ``IcatException`` of its SOAP interface.

    Attributes
    ----------
    type
        BAD_PARAMETER, INTERNAL, INSUFFICIENT_PRIVILEGES, NO_SUCH_OBJECT_FOUND, OBJECT_ALREADY_EXISTS,
        SESSION, VALIDATION or NOT_IMPLEMENTED.
    message
        ICAT's own words. They may quote values: `str` of the fault leaves the quoted parts out.
    offset
        Which bean of a createMany or deleteMany failed; otherwise -1.
    call
        The operation that was refused.
    """

    def __init__(self, type: str, message: str, offset: int = -1, call: str = "") -> None:  # noqa: A002 - ICAT's word
        self.type = type
        self.message = message
        self.offset = offset
        self.call = call
        super().__init__(f"ICAT refused {call or 'the call'}: {type}: {without_values(message)}")

    @property
    def is_deadlock(self) -> bool:
        """Whether the database gave this transaction up for another: the same call may succeed at once."""
        return self.type == "INTERNAL" and _DEADLOCK.search(self.message) is not None

    @property
    def is_duplicate(self) -> bool:
        """Whether something of the same unique key is there, be it the bean itself or one of its children."""
        return self.type == "OBJECT_ALREADY_EXISTS" or (
            self.type == "INTERNAL" and _DUPLICATE.search(self.message) is not None
        )

    @property
    def is_away(self) -> bool:
        """Whether ICAT answers, but its database does not."""
        return self.type == "INTERNAL" and _DATABASE_AWAY.search(self.message) is not None


class IcatAway(Retry):
    """ICAT does not answer, answers as no ICAT does, or lets us not in: the message waits."""


def no_icat(endpoint: str, status: int, call: str = "") -> IcatAway:
    """Give what a page, or anything else that is no SOAP, stands for: it names the address that was asked."""
    said = f"ICAT does not answer{f' {call}' if call else ''} in SOAP at {endpoint}: HTTP status {status}"
    if 300 <= status < 400:
        said += "; the server sends us elsewhere, and PACER follows no redirection"
    elif status == 404:
        said += "; ICAT is not there: not deployed yet, or somewhere else"
    elif status in (401, 403, 407):
        said += "; something before ICAT wants to know who asks"
    elif status < 300:
        said += ", and something else"
    if 200 <= status < 500:
        said += "; 'url' has to be the server's root (https://icat.example.org) or the address of its WSDL"
    return IcatAway(said)


def without_values(message: str) -> str:
    """Give the first line of an ICAT message with everything between quotes left out, and not too long."""
    line = _QUOTED.sub("'...'", message.strip().partition("\n")[0])
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
