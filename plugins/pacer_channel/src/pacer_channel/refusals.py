"""What a broker refuses, with the exceptions and the words that py-amqp and RabbitMQ use for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amqp.exceptions import (
    AccessRefused,
    AMQPNotImplementedError,
    ChannelError,
    InvalidCommand,
    NotFound,
    PreconditionFailed,
)

# Class and method numbers of AMQP 0-9-1, section 1.3: py-amqp's exceptions name the method by them.
EXCHANGE_DECLARE = (40, 10)
EXCHANGE_DELETE = (40, 20)
QUEUE_DECLARE = (50, 10)
QUEUE_BIND = (50, 20)
QUEUE_PURGE = (50, 30)
QUEUE_DELETE = (50, 40)
BASIC_CONSUME = (60, 20)
BASIC_PUBLISH = (60, 40)
BASIC_RETURN = (60, 50)
BASIC_GET = (60, 70)
BASIC_ACK = (60, 80)

Method = tuple[int, int]


def no_queue(name: str, method: Method) -> NotFound:
    """Give the 404 of a queue that is not there."""
    return NotFound(f"NOT_FOUND - no queue '{name}' in vhost '/'", method, reply_code=404)


def no_exchange(name: str, method: Method) -> NotFound:
    """Give the 404 of an exchange that is not there."""
    return NotFound(f"NOT_FOUND - no exchange '{name}' in vhost '/'", method, reply_code=404)


def no_route() -> ChannelError:
    """Give the 312 with which an unroutable mandatory message comes back."""
    return ChannelError("NO_ROUTE", BASIC_RETURN, reply_code=312)


def precondition(text: str, method: Method) -> PreconditionFailed:
    """Give a 406."""
    return PreconditionFailed(f"PRECONDITION_FAILED - {text}", method, reply_code=406)


def refused(text: str, method: Method) -> AccessRefused:
    """Give a 403."""
    return AccessRefused(f"ACCESS_REFUSED - {text}", method, reply_code=403)


def unknown_exchange_type(kind: str) -> InvalidCommand:
    """Give the 503 of an exchange type that nobody knows."""
    return InvalidCommand(
        f"COMMAND_INVALID - unknown exchange type '{kind}'", EXCHANGE_DECLARE, reply_code=503
    )


def not_implemented(broker: str, what: str, method: Method) -> AMQPNotImplementedError:
    """Give the 540 of what RabbitMQ can do and this broker cannot."""
    return AMQPNotImplementedError(
        f"NOT_IMPLEMENTED - {broker} has no {what}; a RabbitMQ has", method, reply_code=540
    )


def inequivalent(
    kind: str, name: str, method: Method, wanted: Mapping[str, Any], current: Mapping[str, Any]
) -> PreconditionFailed | None:
    """Give the 406 of a declaration that differs from what is there, or None where it does not differ."""
    for argument in sorted({*wanted, *current}):
        new, old = wanted.get(argument), current.get(argument)
        if new != old:
            show = repr if argument == "type" else _value
            return precondition(
                f"inequivalent arg '{argument}' for {kind} '{name}' in vhost '/': "
                f"received {show(new)} but current is {show(old)}",
                method,
            )
    return None


def _value(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return f"'{str(value).lower()}'"
        case int():
            return f"the value '{value}' of type 'signedint'"
        case _:
            return f"the value '{value}' of type 'longstr'"
