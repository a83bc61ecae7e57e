"""What the catalogue answers when it refuses: one exception, eight types."""

from typing import Literal, get_args

ErrorType = Literal[
    "BAD_PARAMETER",
    "INTERNAL",
    "INSUFFICIENT_PRIVILEGES",
    "NO_SUCH_OBJECT_FOUND",
    "OBJECT_ALREADY_EXISTS",
    "SESSION",
    "VALIDATION",
    "NOT_IMPLEMENTED",
]

ERROR_TYPES: tuple[str, ...] = get_args(ErrorType)

HTTP_STATUS: dict[str, int] = {
    "BAD_PARAMETER": 400,
    "INTERNAL": 500,
    "INSUFFICIENT_PRIVILEGES": 403,
    "NO_SUCH_OBJECT_FOUND": 404,
    "OBJECT_ALREADY_EXISTS": 412,
    "SESSION": 403,
    "VALIDATION": 412,
    "NOT_IMPLEMENTED": 501,
}
"""The HTTP status of each type over REST; over SOAP every fault is a 500."""


class IcatError(Exception):
    """A refusal, as ICAT's ``IcatException``.

    ``offset`` is the index of the bean to blame in a call with many beans, and -1 where the call
    has no such index.
    """

    def __init__(self, type: ErrorType, message: str, offset: int = -1) -> None:  # noqa: A002 - ICAT's word
        super().__init__(message)
        self.type = type
        self.message = message
        self.offset = offset
