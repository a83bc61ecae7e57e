"""What can be learnt about a broker without changing anything there: for `pacer doctor`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

from amqp.exceptions import AccessRefused, NotFound
from attrs import frozen

from pacer_core.config.model import Amqp, Broker, Config, Queue, Recipient
from pacer_core.model.errors import BrokerError, PermissionRefusedError
from pacer_core.transport.connection import connect, hang_up
from pacer_core.transport.delivery_limits import Warned, limits, warnings
from pacer_core.transport.outgoing import Outgoing, UnroutableError
from pacer_core.transport.publish import Publisher
from pacer_core.transport.queue_status import counts, losses
from pacer_core.transport.signing import Weakness, signer_for, weaknesses
from pacer_core.transport.topology import Declarer, reader


@frozen
class Trouble:
    """One thing that would keep PACER from working, and what to do about it."""

    detail: str
    advice: str


@frozen
class Examined:
    """A broker that answers: what it is, what `pacer run` has still to declare there, and what is wrong."""

    server: str
    missing: tuple[str, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    warnings: tuple[Trouble, ...] = ()
    """What keeps PACER from nothing, and may lose messages all the same."""


def examine_main(config: Config) -> Examined:
    """Look at the broker that messages are read from.

    Queues that exist are declared once more, as `pacer run` does, which changes nothing and shows whether
    they may be used as they are. What does not exist is left so. Nothing is consumed, and the one message
    that is published is for a queue that does not exist: the broker returns it.

    Raises
    ------
    BrokerError
        Where it does not answer, refuses the account, or is too old.
    """
    connection = connect(config.broker, "doctor")
    try:
        server = _server(connection)
        signer = signer_for(config)
        if config.broker.capabilities.lacking("several_processes"):
            return Examined(server, warnings=_troubles(weaknesses(signer)))
        missing: list[str] = []
        troubles = list(_queues(connection, config, missing))
        troubles += _foreign_exchanges(connection, config)
        read = {name for plan in config.consumers for name in plan.config.queues}
        warned: list[Warned | Weakness] = [
            *warnings(config, limits(connection, config, read)),
            *weaknesses(signer),
        ]
    finally:
        hang_up(connection)
    troubles += _publishing(config.broker)
    return Examined(f"{server}; {signer.told}", tuple(missing), tuple(troubles), _troubles(warned))


def _troubles(warned: Iterable[Warned | Weakness]) -> tuple[Trouble, ...]:
    return tuple(Trouble(one.detail, one.advice) for one in warned)


def examine_recipient(config: Config, recipient: Recipient) -> Examined:
    """Look at a broker that messages are forwarded to: the exchanges have to be there.

    Raises
    ------
    BrokerError
        As for `examine_main`.
    """
    connection = connect(recipient, "doctor")
    try:
        server = _server(connection)
        names = sorted({route.exchange for route in config.routes if route.recipient == recipient.name})
        troubles = [
            Trouble(
                f"there is no exchange {name!r}, to which messages are forwarded",
                "declare it there, or leave the rule out; until then these messages wait",
            )
            for name in names
            if not _has_exchange(connection, name)
        ]
    finally:
        hang_up(connection)
    return Examined(server, (), (*troubles, *_publishing(recipient)))


def _server(connection: Any) -> str:
    properties = getattr(connection.connection, "server_properties", None) or {}
    return f"{properties.get('product', 'broker')} {properties.get('version', '')}".strip()


def _queues(connection: Any, config: Config, missing: list[str]) -> Iterator[Trouble]:
    declarer = Declarer(connection)
    for queue in (*config.queues, *config.partition_queues):
        if counts(connection, queue.name) is not None:
            if queue.declare == "active" and reader(config, queue.name) is not None:
                yield from _refusals(declarer, queue, config)
        elif queue.declare == "passive":
            yield Trouble(
                f"there is no queue {queue.name!r}, which somebody else should have declared",
                "ask its owner to declare it, or remove `declare: passive` if it is PACER's own",
            )
        else:
            missing.append(queue.name)


def _refusals(declarer: Declarer, queue: Queue, config: Config) -> Iterator[Trouble]:
    try:
        declarer.work_queue(queue, reader(config, queue.name))
    except (AccessRefused, PermissionRefusedError) as error:
        yield _refused(config.broker, error, f"may not declare queue {queue.name!r}")
    except BrokerError as error:
        what, _, hint = str(error).partition("; ")
        yield Trouble(what, f"{hint or 'delete the queue when it is empty'}")


def _foreign_exchanges(connection: Any, config: Config) -> Iterator[Trouble]:
    for exchange in config.exchanges:
        if exchange.declare == "passive" and not _has_exchange(connection, exchange.name):
            yield Trouble(
                f"there is no exchange {exchange.name!r}, which somebody else should have declared",
                "ask its owner to declare it, or remove `declare: passive` if it is PACER's own",
            )


def _has_exchange(connection: Any, name: str) -> bool:
    with losses():
        channel = connection.channel()
        try:
            channel.exchange_declare(exchange=name, type="direct", passive=True)
        except NotFound:
            return False
        finally:
            channel.close()
    return True


def _publishing(broker: Broker) -> list[Trouble]:
    with closing(Publisher(broker)) as publisher:
        try:
            publisher.publish([Outgoing("", f"pacer.doctor.{uuid4()}", b"")])
        except UnroutableError as error:
            if "ACCESS_REFUSED" in str(error):
                return [_refused(broker, error, "may not publish to the default exchange")]
        except BrokerError as error:
            return [
                Trouble(
                    f"what is published is not confirmed: {error}",
                    "look for alarms of memory or disk at the broker: it takes no messages then",
                )
            ]
    return []


def _refused(broker: Broker, error: Exception, what: str) -> Trouble:
    options = broker.options
    if not isinstance(options, Amqp):
        return Trouble(f"{what}: {error}", f"have it allowed at {broker}")
    account = options.username or "guest"
    return Trouble(
        f"account {account!r} {what}: {error}",
        f"give it the rights, for instance: rabbitmqctl set_permissions -p {options.v_host or repr('')} "
        f"{account} '.*' '.*' '.*'",
    )
