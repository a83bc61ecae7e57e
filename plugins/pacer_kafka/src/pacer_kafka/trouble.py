"""What keeps Kafka from being read: said in the log, in health, and by ``pacer doctor``."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

from pacer_core import PacerError, Seen, ServiceContext
from pacer_kafka.client import Member, Problem
from pacer_kafka.options import KafkaOptions

_AGAIN = 2.0
"""Seconds between looks whether Kafka is there again."""
_QUIET = 5.0
"""Seconds without a problem after which what was said is over: some come with every attempt."""
_LOOK = 2.0
"""Seconds that Kafka may take to say what topics it has."""
_PATIENCE = 10.0
"""The same, where a person waits for it."""


class Trouble:
    """What keeps Kafka from being read, said once in the log, and in health until Kafka answers again."""

    def __init__(self, ctx: ServiceContext) -> None:
        self._ctx = ctx
        self._text = ""
        self.fatal = ""
        """Why this member can read no more."""
        self._is_ready = False
        self._suspects = False
        self._next_look = 0.0
        self._last = -_QUIET

    def hinder(self, problem: Problem) -> None:
        """Take note of a problem; called by the thread that reads Kafka."""
        if problem.is_fatal:
            self.fatal = str(problem)
        if problem.is_vague:  # also where one of several brokers closes an idle connection
            self._suspects = True
        else:
            self._last = time.monotonic()
            self._say(str(problem))

    def look(self, member: Member) -> None:
        """Look whether Kafka answers and has the topics, where that is not known to be so."""
        if self._is_ready and not self._text and not self._suspects:
            return
        if time.monotonic() < self._next_look:
            return
        try:
            there = member.partitions(_LOOK)
        except PacerError as error:
            self._say(self._text or str(error))
        else:
            self._suspects = False
            wrong = [f"topic {name!r}: {one}" for name, one in there.items() if not isinstance(one, int)]
            if wrong or time.monotonic() > self._last + _QUIET:
                self._say("; ".join(wrong))
            if not wrong and not self._text and not self._is_ready:
                self._is_ready = True
                self._ctx.ready()
        self._next_look = time.monotonic() + _AGAIN

    def _say(self, text: str) -> None:
        if text == self._text:
            return
        self._text = text
        self._ctx.trouble(text)
        if text:
            self._ctx.log.warning("Kafka: %s", text)
        else:
            self._ctx.log.info("Kafka answers")


def look(options: KafkaOptions) -> Iterator[Seen]:
    """Ask Kafka for the topics, with the same account; no group is joined."""
    heard: list[Problem] = []
    servers = ", ".join(options.bootstrap_servers)
    try:
        member = Member(options, _SILENT, heard.append)
    except PacerError as error:
        yield Seen(str(error), "correct what is under librdkafka")
        return
    try:
        there = member.partitions(_PATIENCE)
    except PacerError as error:
        member.take(1, 0.0)  # within which it tells what it has heard
        why = next((one for one in heard if not one.is_vague), error)
        yield Seen(f"{servers}: {why}", "start Kafka, or correct the options of the service")
        return
    finally:
        member.close()
    yield Seen(f"{servers} answers")
    for name, one in there.items():
        if isinstance(one, int):
            yield Seen(f"topic {name!r} has {one} partition{'' if one == 1 else 's'}")
        else:
            yield Seen(f"topic {name!r}: {one}", "make the topic, correct its name, or ask for the right")


_SILENT = logging.getLogger("pacer.service.kafka.doctor")
_SILENT.setLevel(logging.CRITICAL)
