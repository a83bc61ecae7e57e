"""What a request is refused with: a status and a sentence, in the form of the API that it asked."""

from __future__ import annotations

from http import HTTPStatus

from pacer_core import PacerError


class Refused(PacerError):
    """A request that is not taken.

    Parameters
    ----------
    status
        The HTTP status.
    message
        What is wrong, and what to do.
    retry_after
        Seconds after which it may be tried again, or ``None``.
    """

    def __init__(self, status: int, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.retry_after = status, message, retry_after

    @property
    def title(self) -> str:
        """What HTTP calls the status."""
        try:
            return HTTPStatus(self.status).phrase
        except ValueError:  # one of tus
            return "Checksum Mismatch"

    @property
    def headers(self) -> dict[str, str]:
        """The headers that go with it."""
        found = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return found | ({"WWW-Authenticate": "Bearer"} if self.status == 401 else {})
