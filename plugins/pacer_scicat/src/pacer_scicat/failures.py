"""What SciCat's refusals mean, beyond the classification of all HTTP ends."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from pacer_core import Reject, Retry, redact
from pacer_http import Answer, HttpProblem

ANONYMOUS = "Forbidden resource"
"""What a backend says to nobody, to an account without the right, and while its database is away."""
_QUOTED = re.compile(r", got .*")


class NotAllowed(HttpProblem, Reject):
    """403 about this very dataset: its owner group is not the account's, or it may not bring a pid."""

    def __init__(self, reason: str, answer: Answer | None = None) -> None:
        super().__init__(redact(reason))
        self.answer = answer


class Upset(HttpProblem, Retry):
    """500 from a backend that is well: something in this request may be at fault, and nothing says what."""

    def __init__(self, reason: str, answer: Answer | None = None) -> None:
        super().__init__(redact(reason))
        self.answer = answer


def said(answer: Answer) -> str:
    """Give what a refusal says, in one line: of its five forms, without values that were sent."""
    try:
        body: Any = json.loads(answer.body)
    except ValueError:
        return "without a reason"
    message = body.get("message") if isinstance(body, dict) else body
    if isinstance(message, str) and message.startswith("["):
        try:
            message = list(_sentences(json.loads(message)))
        except (ValueError, TypeError, AttributeError):
            message = "without a reason"
    lines = message if isinstance(message, list) else [message]
    return "; ".join(_QUOTED.sub("", str(line)) for line in lines if line)[:1000] or "without a reason"


def message_of(answer: Answer) -> str:
    """Give the message of a refusal as it is."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        return ""
    return str(body.get("message", "")) if isinstance(body, dict) else ""


def _sentences(problems: list[Any]) -> Iterator[str]:
    for one in problems:
        yield from (str(text) for text in (one.get("constraints") or {}).values())
        yield from _sentences(one.get("children") or [])
