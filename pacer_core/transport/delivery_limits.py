"""How often a queue of somebody else's lets a message come back, and what it does with it afterwards.

A quorum queue counts every return of a message: an orderly stop's, a lost connection's, a closed channel's.
Past its limit it dead-letters the message, or drops it where it has nowhere to put it. RabbitMQ 4 has a limit
of 20 by default.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Container, Iterable, Mapping
from typing import Any

from amqp.exceptions import AMQPError, NotFound, PreconditionFailed
from attrs import frozen

from pacer_core.config.model import Config, Queue, QueuePolicy
from pacer_core.model.queue_names import dead_queue

DEFAULT_LIMIT = 20
"""What RabbitMQ 4 takes where a queue has none."""
UNSEEN = 2
"""Returns after which a message gets a fresh copy where a policy may have set any limit."""
_PLENTY = 1_000  # returns that no message comes to, since it is copied at half of them
_NEVER = 1 << 62
_LAST = 3  # returns that a message has left when its place in the order counts for less than the message

_QUESTION = "pacer-asks"
# A quorum queue cannot have priorities: where there is no such queue, none is made.
_IMPOSSIBLE = {"x-queue-type": "quorum", "x-delivery-limit": _QUESTION, "x-max-priority": 1}
_DIFFERS = re.compile(
    r"inequivalent arg '(?P<name>[^']+)'.* current is "
    r"(?P<none>none)?(?:the value )?(?:'(?P<value>.*)')?(?: of type '(?P<type>\w+)')?$",
    re.DOTALL,
)
_ARGUMENTS = 30  # more than RabbitMQ knows


@frozen
class Limit:
    """What is known of one queue that PACER did not declare."""

    queue: str
    quorum: bool | None
    """Whether it counts returns; ``None`` where the account may not ask."""
    returns: int | None
    """The limit by its arguments and the policy, or the broker's default; ``None`` where there is none."""
    dead_letters: bool
    """Whether it is known to put what is over the limit somewhere."""
    seen: bool = False
    """Whether the configuration says what policies there are, which the broker does not tell."""
    to_dead_queue: bool = False
    """Whether its arguments are known to put what is rejected into the dead queue that PACER has for it."""

    @property
    def drops(self) -> bool:
        """Whether messages may be lost by returning them."""
        few = self.returns is not None and self.returns < _PLENTY
        return self.quorum is not False and few and not self.dead_letters

    @property
    def renew_at(self) -> int:
        """The returns after which a message is put where it counts afresh; never 0, or copies had copies."""
        if self.returns is None:
            return _NEVER if self.seen else UNSEEN
        half = max(1, self.returns // 2)
        return half if self.seen else min(UNSEEN, half)

    @property
    def last(self) -> int:
        """The returns after which a message does not wait for its place in the order."""
        least = self.renew_at + _LAST
        return least if self.returns is None else max(self.renew_at, min(least, self.returns - 1))


def limits(connection: Any, config: Config, queues: Container[str]) -> tuple[Limit, ...]:
    """Look at those queues that somebody else declared."""
    if config.broker.capabilities.lacking("delivery_limits"):
        return ()
    properties = getattr(connection.connection, "server_properties", None) or {}
    default = default_limit(str(properties.get("version", "")))
    return tuple(
        _limit(connection, queue, default)
        for queue in config.queues
        if queue.declare == "passive" and queue.name in queues
    )


def default_limit(version: str) -> int | None:
    """Give the limit of a queue that has none, by RabbitMQ's version."""
    major = version.partition(".")[0]
    return DEFAULT_LIMIT if major.isdigit() and int(major) >= 4 else None


def _limit(connection: Any, queue: Queue, default: int | None) -> Limit:
    name, policy = queue.name, queue.policy or QueuePolicy()
    found = _arguments(connection, name)
    # An empty text counts as none in a configuration, so that the default exchange shows by its key alone.
    by_policy = policy.dead_letter_exchange is not None or policy.dead_letter_routing_key is not None
    if found is None:
        returns = effective_limit(None, policy.delivery_limit, default)
        return Limit(name, quorum=None, returns=returns, dead_letters=by_policy)
    if found.get("x-queue-type") != "quorum":
        return Limit(name, quorum=False, returns=None, dead_letters=False)
    target = found.get("x-dead-letter-exchange"), found.get("x-dead-letter-routing-key")
    return Limit(
        name,
        quorum=True,
        returns=effective_limit(found.get("x-delivery-limit"), policy.delivery_limit, default),
        dead_letters=by_policy or "x-dead-letter-exchange" in found,
        seen=queue.policy is not None,
        # Not by a policy, which somebody may take away: what is rejected then would be lost.
        to_dead_queue=target == ("", dead_queue(name)),
    )


def effective_limit(argument: int | None, policy: int | None, default: int | None) -> int | None:
    """Give the limit that RabbitMQ makes of a queue's argument and its policy."""
    given = [one for one in (argument, policy) if one is not None]
    if not given:
        return default
    if default is None:  # RabbitMQ 3 takes the -1 that means "no limit" to RabbitMQ 4 for 0
        return max(min(given), 0)
    limit = max(given) if min(given) < 0 else min(given)
    return None if limit < 0 else limit


def _arguments(connection: Any, queue: str) -> Mapping[str, Any] | None:
    """Give a queue's arguments, as far as its limit needs them; ``None`` where the broker does not tell.

    It is asked by declaring the queue as it cannot be: the refusal names what differs, one thing at a time.
    Nothing is changed by that, and nothing made.
    """
    asked: dict[str, Any] = dict(_IMPOSSIBLE)
    durable, auto_delete = True, False
    for _ in range(_ARGUMENTS):
        differs = _refusal(connection, queue, durable, auto_delete, asked)
        if differs is None:
            return None
        name, value = differs
        if name == "durable":
            durable = value == "true"
        elif name == "auto_delete":
            auto_delete = value == "true"
        elif name == "x-queue-type":
            return {**asked, "x-queue-type": value or "classic"}
        elif name == "x-delivery-limit":
            return {**asked, "x-delivery-limit": value}
        elif value is None or asked.get(name) == value:
            return None
        else:
            asked[name] = value
    return None


def _refusal(
    connection: Any, queue: str, durable: bool, auto_delete: bool, asked: Mapping[str, Any]
) -> tuple[str, Any] | None:
    channel = connection.channel()
    try:
        channel.queue_declare(queue=queue, passive=True)
        channel.queue_declare(queue=queue, durable=durable, auto_delete=auto_delete, arguments=dict(asked))
    except PreconditionFailed as error:
        found = _DIFFERS.search(str(error))
        if found is None:
            return None
        value = found["value"]
        numbered = found["type"] not in (None, "longstr", "bool", "void")
        if value is not None and (numbered or found["name"] == "x-delivery-limit"):
            return found["name"], _number(value)
        return found["name"], value == "true" if found["type"] == "bool" else value
    except (AMQPError, NotFound):
        return None  # no right to ask, or nothing there, which others say better
    finally:
        channel.close()
    return None


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


@frozen
class Warned:
    """One queue that may lose messages, and what to do about it."""

    detail: str
    advice: str


def warnings(config: Config, found: Iterable[Limit]) -> list[Warned]:
    """Say of each queue that drops messages what it does, and what to do about it."""
    return [_warned(getattr(config.broker.options, "v_host", "/"), one) for one in found if one.drops]


def _warned(vhost: str, one: Limit) -> Warned:
    is_one = "is a quorum queue" if one.quorum else "may be a quorum queue: the account may not ask"
    dead = dead_queue(one.queue)
    policy = {
        "delivery-limit": 1_000_000,
        "dead-letter-exchange": "",
        "dead-letter-routing-key": dead,
    }
    return Warned(
        f"queue {one.queue!r}, which PACER did not declare, {is_one}. It drops a message that was "
        f"returned more than {one.returns} times, and each stop, kill and lost connection returns what a "
        f"worker holds. {_HELP if one.returns else _NO_HELP}",
        "have its owner set a policy that keeps such messages: rabbitmqctl set_policy "
        f"-p {shlex.quote(vhost)} --apply-to queues --priority 1 {shlex.quote(f'pacer-{one.queue}')} "
        f"{shlex.quote(f'^{re.escape(one.queue)}$')} {shlex.quote(json.dumps(policy))}"
        "; then add what it says to the queue's line, for PACER cannot see it: policy: "
        f'{{deliveryLimit: 1000000, deadLetterExchange: "", deadLetterRoutingKey: {json.dumps(dead)}}}',
    )


_HELP = "PACER copies a message before it comes to that, as long as a worker lives to do so"
_NO_HELP = "PACER can do nothing about it"
