"""Delays that are longer than SQS's own: a message that shows itself too early is hidden again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from pacer_channel import encode_properties
from pacer_contract import Broker
from pacer_contract.broker import count, declare, eventually, get
from pacer_sqs import SQS, SqsOptions
from pacer_sqs.wire import write

HOUR = 3_600_000


@pytest.fixture
def broker(options: SqsOptions) -> Iterator[Broker]:
    with Broker(SQS, options) as broker:
        yield broker


def test_what_shows_itself_before_its_time_waits_on_and_is_moved_then(
    broker: Broker, options: SqsOptions
) -> None:
    channel = broker.channel()
    declare(channel)
    declare(channel, "later", x_message_ttl=HOUR, x_dead_letter_exchange="", x_dead_letter_routing_key="q")
    now = int(time.time() * 1000)

    early(options, "later", b"soon", now + 4000)
    early(options, "later", b"not yet", now + HOUR)

    assert get(channel).body == b"soon"
    assert time.time() * 1000 >= now + 4000
    assert channel.basic_get("q") is None
    assert eventually(lambda: count(channel, "later") == 1)  # it is deleted when it has been moved


def early(options: SqsOptions, queue: str, body: bytes, due: int) -> None:
    """Put a message into a queue of delays as it is there when SQS's own delay has passed."""
    sqs: Any = boto3.client(
        "sqs",
        region_name="us-east-1",
        endpoint_url=options.endpoint,
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    written = write("", "q", {}, encode_properties({}), body, due)
    sqs.send_message(
        QueueUrl=sqs.get_queue_url(QueueName=options.queue_prefix + queue)["QueueUrl"],
        MessageBody=written.body,
        MessageAttributes=written.attributes,
    )
