"""What could lose a message, leave it for ever, or give its key to two at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import boto3
import pytest
from amqp.exceptions import ChannelError, RecoverableConnectionError
from attrs import evolve

from pacer_contract import Broker
from pacer_contract.broker import Inbox, declare, drain, eventually, get, send
from pacer_sqs import SQS, LargeBodies, SqsOptions, claims
from pacer_sqs.hand import Hand, Held
from pacer_sqs.place import SqsQueue
from pacer_sqs.wire import Read
from plugins.pacer_sqs.tests.conftest import BUCKET

LIMIT = 1 << 20


@pytest.fixture
def broker(options: SqsOptions) -> Iterator[Broker]:
    with Broker(SQS, options) as broker:
        yield broker


@pytest.fixture
def sqs(options: SqsOptions) -> Any:
    return boto3.client(
        "sqs",
        region_name="us-east-1",
        endpoint_url=options.endpoint,
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )


def url(sqs: Any, options: SqsOptions, name: str) -> str:
    return str(sqs.get_queue_url(QueueName=options.queue_prefix + name)["QueueUrl"])


def test_a_queue_of_delays_that_somebody_has_deleted_moves_its_messages_again_when_it_is_declared_anew(
    options: SqsOptions, sqs: Any
) -> None:
    second = timedelta(seconds=1)  # ElasticMQ lets those wait for ever who wait when a queue is deleted
    with Broker(SQS, evolve(options, long_poll=second, connect_timeout=second)) as broker:
        channel = broker.channel()
        later = {"x_message_ttl": 500, "x_dead_letter_exchange": "", "x_dead_letter_routing_key": "q"}
        declare(channel)
        declare(channel, "wait-anew", **later)
        assert moved()

        sqs.delete_queue(QueueUrl=url(sqs, options, "wait-anew"))
        assert eventually(lambda: not moved())
        declare(channel, "wait-anew", **later)
        send(channel, "one", to="wait-anew")

        (message,) = Inbox(channel).wait(1)
        assert message.body == b"one"


def moved() -> bool:
    """Say whether a thread moves what has waited in that queue."""
    return any(thread.name == "pacer SQS wait-anew" for thread in threading.enumerate())


def test_a_message_that_leaves_no_room_for_a_word_about_its_death_is_dead_nevertheless(
    broker: Broker, sqs: Any, options: SqsOptions
) -> None:
    channel = broker.channel()
    declare(channel, "q.dead")
    declare(channel, x_dead_letter_exchange="", x_dead_letter_routing_key="q.dead")
    body = "x" * (LIMIT - len("note") - len("String") - 4)
    attributes = {"note": {"DataType": "String", "StringValue": "four"}}
    sqs.send_message(QueueUrl=url(sqs, options, "q"), MessageBody=body, MessageAttributes=attributes)

    channel.basic_reject(get(channel).delivery_tag, requeue=False)

    assert get(channel, "q.dead").body == body.encode()


def test_a_copy_that_leaves_no_room_for_a_word_about_its_wait_keeps_its_headers(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    declare(channel, "later", x_message_ttl=200, x_dead_letter_exchange="", x_dead_letter_routing_key="q")
    headers = {"x-pacer-attempt": 2}
    least, most = LIMIT - 2000, LIMIT
    while most - least > 1:  # the largest body that SQS takes with these headers
        middle = (least + most) // 2
        if _fits(channel, middle, headers):
            least = middle
        else:
            most = middle
    channel.queue_purge("other")

    send(channel, b"x" * (least - len("later")), to="later", application_headers=headers)

    (message,) = Inbox(channel).wait(1)
    assert message.properties["application_headers"]["x-pacer-attempt"] == 2


def _fits(channel: Any, size: int, headers: dict[str, int]) -> bool:
    channel.queue_declare("other", durable=True, auto_delete=False)
    try:
        send(channel, b"x" * (size - len("other")), to="other", application_headers=headers)
    except ChannelError:
        return False
    return True


def test_an_object_that_is_no_text_stays_in_its_bucket(
    options: SqsOptions, large: LargeBodies, bucket: str, sqs: Any
) -> None:
    objects: Any = boto3.client(
        "s3", endpoint_url=bucket, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    objects.put_object(Bucket=BUCKET, Key="binary", Body=b"\xff\xfe\x00")
    with Broker(SQS, evolve(options, large_bodies=large)) as broker:
        channel = broker.channel()
        declare(channel)
        pointer = f'["any.class", {{"s3BucketName": "{BUCKET}", "s3Key": "binary"}}]'
        size = {"ExtendedPayloadSize": {"DataType": "Number", "StringValue": "3"}}
        sqs.send_message(QueueUrl=url(sqs, options, "q"), MessageBody=pointer, MessageAttributes=size)

        message = get(channel)
        assert message.body == pointer.encode()
        channel.basic_ack(message.delivery_tag)
        channel.connection.close()

    assert objects.get_object(Bucket=BUCKET, Key="binary")["Body"].read() == b"\xff\xfe\x00"


def test_a_full_hand_is_kept_by_several_requests_at_once() -> None:
    together = threading.Barrier(3, timeout=30)

    class Place:
        visibility, client = 8, None

    class Client:
        def hide(self, url: str, handles: list[str], seconds: int) -> dict[int, tuple[bool, str]]:
            together.wait()
            return {0: (True, "InvalidParameterValue")} if "10" in handles else {}

    place: Any = Place()
    place.client = Client()
    queue = SqsQueue("q", url="http://sqs/q")
    held = [Held(queue, str(number), Read("", "q", {}, b""), False, 0.0) for number in range(30)]
    with ThreadPoolExecutor(3) as executor:
        lost = Hand(place, executor, lambda error: None)._hide(held, 8)

    assert lost == [held[10]]


def test_a_claim_that_has_lasted_as_long_as_sqs_allows_goes_to_the_next_in_order(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = broker.channel(prefetch=2)
    declare(channel, x_single_active_consumer=True)
    send(channel, *range(6))
    inbox = Inbox(channel)
    inbox.wait(2)
    channel.basic_ack(inbox.messages[0].delivery_tag)
    standby = Inbox(broker.channel(prefetch=10))
    monkeypatch.setattr(claims, "_LONGEST", 1)  # seconds, for ten hours

    with pytest.raises(RecoverableConnectionError, match="has been ours for as long as SQS allows"):
        drain(channel, 30)
    monkeypatch.undo()
    channel.connection.close()  # as who reads does then; what it holds is somebody else's afterwards

    standby.wait(5)
    assert sorted(standby.bodies, key=int) == sorted(set("012345") - {inbox.bodies[0]}, key=int)
    again = Inbox(broker.channel())  # and may be the next one, one day
    assert again.stays_at(0)


def test_who_was_not_heard_for_as_long_as_its_claim_lasts_hands_out_nothing_more(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel, x_single_active_consumer=True)
    send(channel, *range(20))
    inbox = Inbox(channel)
    inbox.wait(1)
    assert channel.connection.ready()  # more are here already
    (claim,) = channel.connection.store._claims._claims.values()

    claim._until = time.monotonic()  # as if its thread waited for an answer that does not come

    with pytest.raises(RecoverableConnectionError, match="the claim on q has ended"):
        channel.connection.drain_events(timeout=10)
    assert len(inbox.messages) == 1
