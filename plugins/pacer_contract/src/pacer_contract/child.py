"""A process that consumes or publishes, for the tests that need more than one.

    python -m pacer_contract.child WHICH hold COUNT      lease COUNT messages of q, and wait to be killed
    python -m pacer_contract.child WHICH consume         acknowledge messages of q until a second without one
    python -m pacer_contract.child WHICH send BODY...    publish to q
    python -m pacer_contract.child WHICH move            publish what is in q to done, and acknowledge it
    python -m pacer_contract.child WHICH count           publish 0, 1, 2... to q, saying what is confirmed

``WHICH`` is what `Broker.child` makes of its transport. Each writes what it does, one word a line.
"""

from __future__ import annotations

import base64
import itertools
import pickle
import sys
import time
from collections.abc import Callable
from typing import Any

from pacer_contract.broker import Inbox, connect, drain, send


def say(word: str) -> None:
    """Write a word."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def hold(channel: Any, count: str) -> None:
    """Take some messages, and keep them."""
    channel.basic_qos(0, int(count), False)
    Inbox(channel).wait(int(count))
    say("holding")
    sys.stdin.read()


def consume(channel: Any) -> None:
    """Acknowledge what comes."""
    channel.basic_qos(0, 5, False)
    quiet = False

    def handle(message: Any) -> None:
        nonlocal quiet
        quiet = False
        say(message.body.decode())
        channel.basic_ack(message.delivery_tag)

    channel.basic_consume("q", callback=handle)
    say("ready")
    sys.stdin.readline()
    while not quiet:
        quiet = True
        drain(channel, 1)


def publish(channel: Any, *bodies: str) -> None:
    """Publish when told to."""
    sys.stdin.readline()
    send(channel, *bodies)
    say("sent")


def move(channel: Any) -> None:
    """Publish what comes elsewhere."""
    sender = (
        channel.connection.client.clone().channel()
    )  # py-amqp hangs where a callback publishes on its own

    def handle(message: Any) -> None:
        time.sleep(0.002)  # so that another process gets its share
        send(sender, message.body, to="done")
        channel.basic_ack(message.delivery_tag)
        say("moved")

    channel.basic_qos(0, 5, False)
    channel.basic_consume("q", callback=handle)
    say("ready")
    while True:
        drain(channel, 1)


def count_on(channel: Any) -> None:
    """Publish numbers until killed."""
    for number in itertools.count():
        send(channel, number)
        say(str(number))


if __name__ == "__main__":
    which, command, *arguments = sys.argv[1:]
    with connect(*pickle.loads(base64.b64decode(which)), confirm=True) as connection:  # noqa: S301 - our parent's
        channel = connection.channel()
        channel.auto_decode = False
        commands: dict[str, Callable[..., None]] = {
            "hold": hold,
            "consume": consume,
            "send": publish,
            "count": count_on,
            "move": move,
        }
        commands[command](channel, *arguments)
