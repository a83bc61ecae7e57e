"""What the backend says when it does not do what is asked: its five forms of an error's body (A8, 25)."""

from __future__ import annotations

import json
from typing import Any

_NAMES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    412: "Precondition Failed",
}


class Refused(Exception):
    """A request is answered with an error: its status and its body."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body}")
        self.status, self.body = status, body


def refused(status: int, message: str | list[str]) -> Refused:
    """Give the usual form: message, name and status."""
    return Refused(status, {"message": message, "error": _NAMES[status], "statusCode": status})


def bare(status: int) -> Refused:
    """Give the form without a message of its own."""
    return Refused(status, {"message": _NAMES[status], "statusCode": status})


def of_version_3(errors: list[Any] | str) -> Refused:
    """Give the form of version 3's datasets: the problems as JSON within the message."""
    text = (
        errors if isinstance(errors, str) else json.dumps(errors, ensure_ascii=False, separators=(",", ":"))
    )
    return Refused(400, {"status": 400, "message": text})


def broken() -> Refused:
    """Give what an exception that nobody has caught looks like."""
    return Refused(500, "Internal server error")


def required(path: str, document: dict[str, Any]) -> Refused:
    """Give the form in which the database's own layer says that a field is missing (A8, 14)."""
    what = f"Path `{path}` is required."
    value = {"value": document[path]} if path in document else {}
    length = {"length": 0} if document.get(path) == "" else {}
    properties = {"message": what, "type": "required", "path": path, **value, **length}
    error = {"name": "ValidatorError", "message": what, "properties": properties, "kind": "required"}
    return Refused(
        500,
        {
            "errors": {path: {**error, "path": path, **value}},
            "_message": "DatasetClass validation failed",
            "name": "ValidationError",
            "message": f"DatasetClass validation failed: {path}: {what}",
        },
    )
