"""What AMQP says of a queue beside its name, as tags of a queue of SQS's.

Tags take letters, digits and a few signs: values are written as names of queues are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pacer_channel import Queue, rules
from pacer_sqs import names

_OURS = "pacer:queue"
_PREFIX = "pacer:"
_AUTO_DELETE = "pacer:auto-delete"


def meant(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Give the arguments that mean something here: others tune what SQS does not have."""
    return {name: value for name, value in arguments.items() if name not in rules.HARMLESS}


def write(queue: Queue) -> dict[str, str]:
    """Give the tags of a queue of ours; its arguments have been checked."""
    told = {_OURS: "1"}
    if queue.auto_delete:
        told[_AUTO_DELETE] = "true"
    for name, value in queue.arguments.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        told[_PREFIX + name] = names.encode(text)
    return told


def read(tags: Mapping[str, str]) -> tuple[dict[str, Any], bool]:
    """Give the arguments of a queue, and whether it goes with its last consumer."""
    arguments: dict[str, Any] = {}
    for name, kind in rules.KEPT.items():
        text = tags.get(_PREFIX + name)
        if text is None:
            continue
        value = names.decode(text)
        try:
            arguments[name] = value == "true" if kind is bool else kind(value)
        except ValueError:  # somebody has changed it: it says nothing
            continue
    return arguments, tags.get(_AUTO_DELETE) == "true"
