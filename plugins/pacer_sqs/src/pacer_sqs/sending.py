"""Publishing: messages as SQS takes them, in batches, and what it says of each."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any
from uuid import uuid4

from amqp.exceptions import ChannelError, RecoverableConnectionError
from attrs import frozen

from pacer_channel import HEADERS, Outgoing, refusals, rules
from pacer_sqs import wire
from pacer_sqs.client import BATCH, QueueGone
from pacer_sqs.place import Place, SqsQueue
from pacer_sqs.wire import Written

ONE_GROUP = "pacer"
"""The group of messages on a FIFO queue that name none."""
LONGEST_DELAY = 900
"""Seconds for which SQS delays a message."""

_GROUP = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")
_TRIES, _PAUSE = 4, 0.2


@frozen
class Parcel:
    """One message for one queue, ready to be sent; `place` is which of the messages it was."""

    place: int
    queue: SqsQueue
    written: Written
    more: dict[str, Any]

    @property
    def entry(self) -> dict[str, Any]:
        """What SQS is given."""
        return {
            "MessageBody": self.written.body,
            "MessageAttributes": self.written.attributes,
            **self.more,
        }


def parcel(place: Place, number: int, message: Outgoing, queue: SqsQueue, *, bare: bool = False) -> Parcel:
    """Make a message ready for a queue; a bare one has no attributes.

    Raises
    ------
    amqp.exceptions.PreconditionFailed
        406, where it is larger than SQS takes, and no bucket is configured.
    """
    wait = rules.wait_of(message, queue) if queue.ttl is not None else None
    due = 0 if wait is None else int(time.time() * 1000) + wait
    written = wire.write(
        message.exchange, message.routing_key, message.properties, message.encoded, message.body, due
    )
    if bare:
        written = Written(written.body, {})
    if written.size > wire.LIMIT:
        if place.bodies is None:
            raise refusals.precondition(
                f"a message of {written.size:,} bytes for queue '{queue.name}' is larger than the "
                f"{wire.LIMIT:,} that SQS takes (what is no text counts for a third more): with "
                "'largeBodies' it waits in S3",
                refusals.BASIC_PUBLISH,
            )
        written = place.bodies.keep(written)
        if written.size > wire.LIMIT:
            raise refusals.precondition("headers are larger than SQS takes", refusals.BASIC_PUBLISH)
    more: dict[str, Any] = {}
    if queue.fifo:
        # Never what a publisher calls it: a retry's copy carries the same headers, and would be dropped.
        more = {"MessageGroupId": group(place, message), "MessageDeduplicationId": str(uuid4())}
    elif wait is not None:
        more = {"DelaySeconds": min(LONGEST_DELAY, -(-wait // 1000))}
    return Parcel(number, queue, written, more)


def group(place: Place, message: Outgoing) -> str:
    """Give the group of a message, by its header; one that SQS cannot write is known by its hash."""
    given = (message.properties.get(HEADERS) or {}).get(place.options.group_header)
    if not isinstance(given, str) or not given:
        return ONE_GROUP
    if _GROUP.fullmatch(given):
        return given
    return f"sha256-{hashlib.sha256(given.encode(errors='replace')).hexdigest()}"


def send(
    place: Place, parcels: Sequence[Parcel], executor: Executor | None = None
) -> dict[int, ChannelError]:
    """Send parcels; when it returns SQS has all of them, but for those whose message it refuses.

    A FIFO queue gets its messages in order, one request after another; others at once where there is an
    executor.

    Raises
    ------
    RecoverableConnectionError
        Where SQS does not answer, or goes on saying that it is its own fault.
    """
    jobs: list[list[Sequence[Parcel]]] = []
    by_queue: dict[str, list[Parcel]] = {}
    for one in parcels:
        by_queue.setdefault(one.queue.url, []).append(one)
    for those in by_queue.values():
        loads = _loads(those)
        jobs.extend([loads] if those[0].queue.fifo else ([load] for load in loads))
    refused: dict[int, ChannelError] = {}
    if executor is None or len(jobs) == 1:
        answers = [_send(place, job) for job in jobs]
    else:
        answers = list(executor.map(lambda job: _send(place, job), jobs))
    for answer in answers:
        refused.update(answer)
    return refused


def _loads(parcels: Sequence[Parcel]) -> list[Sequence[Parcel]]:
    """Give parcels in requests: ten of them, and no more than a message may weigh, all together."""
    loads: list[list[Parcel]] = []
    weight = 0
    for one in parcels:
        size = one.written.size
        if not loads or len(loads[-1]) >= BATCH or weight + size > wire.LIMIT:
            loads.append([])
            weight = 0
        loads[-1].append(one)
        weight += size
    return [*loads]


def _send(place: Place, loads: Sequence[Sequence[Parcel]]) -> dict[int, ChannelError]:
    refused: dict[int, ChannelError] = {}
    for load in loads:
        left = list(load)
        for attempt in range(_TRIES):
            try:
                failed = place.client.send(left[0].queue.url, [one.entry for one in left])
            except QueueGone:
                place.forget(left[0].queue.name)
                error = refusals.no_queue(left[0].queue.name, refusals.BASIC_PUBLISH)
                refused.update((one.place, error) for one in left)
                break
            for number, (ours, why) in failed.items():
                if ours:
                    text = f"SQS refuses a message for queue '{left[0].queue.name}': {why}"
                    refused[left[number].place] = refusals.precondition(text, refusals.BASIC_PUBLISH)
            left = [left[number] for number, (ours, _) in failed.items() if not ours]
            if not left:
                break
            if attempt == _TRIES - 1:
                (_, why) = next(iter(failed.values()))
                name = left[0].queue.name
                raise RecoverableConnectionError(f"SQS does not take messages for {name}: {why}")
            time.sleep(_PAUSE * 2**attempt)
    return refused
