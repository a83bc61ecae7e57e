"""What ICAT answers instead of a result, and what its absence looks like."""

from __future__ import annotations

import re

from pacer_core import PacerError, Retry

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_VALUE = re.compile(r"(?<!\w)'[^'\n]*'")  # an apostrophe, as in "Client's", quotes nothing
_DUPLICATE = re.compile(r"duplicate entry|unique constraint|duplicate key|\bora-00001\b", re.IGNORECASE)
_DEADLOCK = re.compile(
    r"deadlock found|deadlock detected|detected deadlock|lock wait timeout|could not serialize|"
    r"\berror code: (1213|1205)\b|\bora-(00060|08177)\b",
    re.IGNORECASE,
)
# What MariaDB, MySQL, Oracle, PostgreSQL and EclipseLink say of values and references, whoever sends them.
_BAD_VALUE = re.compile(
    r"integrity ?constraint|foreign key constraint|not-null constraint|check constraint|"
    r"cannot be null|have a default value|data ?too long|value too long|sqldataexception|data ?truncat|"
    r"out of range value|(int|integer|value|precision) out of range|field overflow|"
    r"not a valid numeric|\bincorrect \w+ value|invalid byte sequence|"
    r"conversionexception|could not be converted|not marked cascade|attempt to set field|"
    r"\bora-(01400|01438|01830|01840|01843|01861|02290|02291|02292|12899)\b",
    re.IGNORECASE,
)
# What the same, and what stands between them and ICAT, say where nobody could write, whichever the message.
_AWAY = re.compile(
    r"\bread[ _-]?only\b|\bnot yet prepared\b|"
    r"shut(ting)? ?down|starting up|terminating connection|in recovery mode|crash of another|"
    r"too many (connections|clients)|connection slots|\bmax_(user_)?connections\b|allocating a connection|"
    r"connections? (equal|pool)|no managed connections|"
    r"no space left|disk (is )?full|disk quota|\bis full\b|unable to extend|\bout of memory\b|"
    r"communications? link|end-of-file on communication|lost connection|gone away|"
    r"connection (is |was |has been )?(already )?(closed|reset|refused|lost|aborted|killed|terminated)|"
    r"closed connection|broken pipe|socket ?(closed|exception|error|write error)|connectexception|"
    r"unknown ?host|no route to host|network is unreachable|"
    r"\b(could not|cannot|can't|unable to|failed to) (open |create |get |obtain )?(a )?connect|"
    r"\bconnect to .{1,200} failed|connect timed out|\bjms error\b|i/o error (occurred )?while|"
    r"\berror code: (1021|1040|1047|1053|1114|1203|1226|1290|1792|1836|1927|2002|2003|2006|2013)\b|"
    r"\bora-(000(18|20|28)|00257|01012|0103[34]|01089|0109[02]|0165\d|0311[34]|03135|125\d\d|16000|170(02|08))\b",
    re.IGNORECASE,
)
_ABOUT_WHAT_WAS_SENT = frozenset(
    {"BAD_PARAMETER", "NO_SUCH_OBJECT_FOUND", "OBJECT_ALREADY_EXISTS", "VALIDATION", "NOT_IMPLEMENTED"}
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
        return self._says(_DEADLOCK) and not self.is_duplicate

    @property
    def is_duplicate(self) -> bool:
        """Whether something of the same unique key is there, be it the bean itself or one of its children."""
        return self.type == "OBJECT_ALREADY_EXISTS" or self._says(_DUPLICATE)

    @property
    def is_about_what_was_sent(self) -> bool:
        """Whether the same call will never succeed; whatever is not known to be so may succeed later."""
        return self.type in _ABOUT_WHAT_WAS_SENT or self.is_duplicate or self._says(_BAD_VALUE)

    @property
    def is_away(self) -> bool:
        """Whether ICAT answers, but what it needs does not take writes: its database, or its services.

        The same for every message, so that a look at what was said about values comes first.
        """
        return self._says(_AWAY) and not self.is_about_what_was_sent

    def _says(self, words: re.Pattern[str]) -> bool:
        """Look for words of the database, beside what it quotes; ICAT passes them on as INTERNAL alone."""
        if self.type != "INTERNAL":
            return False
        said = self.message.partition("\nCall:")[0]  # then EclipseLink gives its SQL
        return words.search(_VALUE.sub("'...'", said)) is not None


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
