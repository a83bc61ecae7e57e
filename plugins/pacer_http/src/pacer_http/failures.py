"""The one classification of what goes wrong over HTTP, in the words of the core."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pacer_core import NotYet, Reject, Retry, redact

if TYPE_CHECKING:
    from pacer_http.answers import Answer


class HttpProblem:
    """What all of these have; never raised by itself."""

    answer: Answer | None = None

    @property
    def status(self) -> int | None:
        """The status of the answer, or ``None`` where there was none."""
        return None if self.answer is None else self.answer.status


class Away(HttpProblem, Retry):
    """The service does not answer, answers as it never would, or serves nobody now: the message waits.

    Every status that is not known to speak of the request is one of these. With ``counted=False``, where the
    service says so itself, no attempt is counted.
    """

    def __init__(
        self,
        reason: str,
        answer: Answer | None = None,
        *,
        after: float | None = None,
        counted: bool = True,
    ) -> None:
        super().__init__(redact(reason), after=after, counted=counted)
        self.answer = answer


class Forbidden(HttpProblem, Retry):
    """403: the account lacks a right, which somebody may grant."""

    def __init__(self, reason: str, answer: Answer | None = None) -> None:
        super().__init__(redact(reason))
        self.answer = answer


class Missing(HttpProblem, NotYet):
    """404 or 410: what the request names is not there, or not yet."""

    def __init__(self, reason: str, answer: Answer | None = None) -> None:
        super().__init__(redact(reason))
        self.answer = answer


class Conflict(HttpProblem, Reject):
    """409 or 412: something of that name is there, and it is not ours; a person has to look."""

    def __init__(self, reason: str, answer: Answer | None = None) -> None:
        super().__init__(redact(reason))
        self.answer = answer


class Refused(HttpProblem, Reject):
    """400, 413, 414 or 422: what was sent is at fault, and the same request will never succeed."""

    def __init__(self, reason: str, answer: Answer | None = None) -> None:
        super().__init__(redact(reason))
        self.answer = answer


def is_away(error: BaseException) -> bool:
    """Tell whether an error says that the service is away; what ``IntegrationType.is_away`` wants."""
    return isinstance(error, Away)


Problem = Away | Forbidden | Missing | Conflict | Refused

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed in a moment."""
_OF_THE_REQUEST = frozenset({400, 413, 414, 422})
"""Statuses that speak of what was sent; others may be a proxy's, a maintenance page's, or of a setting."""


@contextmanager
def addressed(option: str, address: str, meaning: str) -> Iterator[None]:
    """Say which option is wrong where a check finds nothing, or something else, at an address.

    Parameters
    ----------
    option
        The option that holds the address, as YAML spells it.
    address
        What was asked: its value.
    meaning
        What the option has to be.

    Raises
    ------
    Away
        In the place of `Missing`, of a redirection and of an answer without JSON.
    """
    try:
        yield
    except (Away, Missing) as problem:
        status = problem.status
        if status is None or (status >= 400 and status not in (404, 410)):
            raise
        raise Away(f"{problem} (at {address}); {option!r} has to be {meaning}", problem.answer) from None


def judge(answer: Answer, after: float | None) -> Problem:
    """Give the failure that an unexpected answer stands for; ``after`` are the seconds of ``Retry-After``."""
    status, said = answer.status, f"{answer.what} was answered with {answer.status}"
    if status in (401, 407):
        return Away(f"{said}: the credentials are wrong or have expired; renew them", answer)
    if status in PASSING or status >= 500:
        return Away(said, answer, after=after)
    if status < 400:
        return Away(f"{said}: the service has moved, or something else answers; correct its URL", answer)
    if status == 403:
        return Forbidden(f"{said}: give PACER's account the right to do that", answer)
    if status in (404, 410):
        return Missing(f"{said}: not there", answer)
    if status in (409, 412):
        return Conflict(said, answer)
    if status in _OF_THE_REQUEST:
        return Refused(said, answer)
    return Away(f"{said}: look what stands between PACER and the service, and at its URL", answer)
