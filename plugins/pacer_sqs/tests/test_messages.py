"""Messages between PACER and other programs that use the same queues."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from amqp import Message
from amqp.exceptions import PreconditionFailed
from attrs import evolve

from pacer_contract import Broker
from pacer_contract.broker import Inbox, count, declare, eventually, get, send
from pacer_sqs import SQS, Binding, LargeBodies, SqsOptions
from plugins.pacer_sqs.tests.conftest import BUCKET


@pytest.fixture
def broker(options: SqsOptions) -> Iterator[Broker]:
    with Broker(SQS, options) as broker:
        yield broker


@pytest.fixture
def sqs(options: SqsOptions) -> Any:
    """A client of SQS that knows nothing of PACER."""
    return boto3.client(
        "sqs",
        region_name="us-east-1",
        endpoint_url=options.endpoint,
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )


@pytest.fixture
def objects(bucket: str) -> Any:
    """A client of S3."""
    return boto3.client(
        "s3", endpoint_url=bucket, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )


def url(sqs: Any, options: SqsOptions, name: str = "q") -> str:
    return str(sqs.get_queue_url(QueueName=options.queue_prefix + name)["QueueUrl"])


def taken(sqs: Any, url: str) -> Any:
    """Give a message as another program gets it."""
    found = sqs.receive_message(
        QueueUrl=url, WaitTimeSeconds=5, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"]
    )
    return found["Messages"][0]


def test_another_program_reads_the_body_and_the_headers(
    broker: Broker, sqs: Any, options: SqsOptions
) -> None:
    channel = broker.channel()
    declare(channel)
    send(channel, b'{"a": "\xc3\xa9"}', application_headers={"proposal": "HG-1", "number": 7, "x-own": "no"})

    message = taken(sqs, url(sqs, options))

    assert message["Body"] == '{"a": "é"}'
    shown = {name: one.get("StringValue") for name, one in message["MessageAttributes"].items()}
    assert shown == {"pacer": None, "proposal": "HG-1", "number": "7"}


def test_a_message_of_another_program_has_its_attributes_as_headers(
    broker: Broker, sqs: Any, options: SqsOptions
) -> None:
    channel = broker.channel()
    declare(channel)
    sent = sqs.send_message(
        QueueUrl=url(sqs, options),
        MessageBody="{}",
        MessageAttributes={
            "proposal": {"DataType": "String", "StringValue": "HG-1"},
            "number": {"DataType": "Number.int", "StringValue": "-7"},
            "share": {"DataType": "Number", "StringValue": "0.5"},
            "raw": {"DataType": "Binary", "BinaryValue": b"\xff\x00"},
            "pacer": {"DataType": "String", "StringValue": "not ours"},
        },
    )

    message = get(channel)

    assert message.body == b"{}"
    assert message.properties["message_id"] == sent["MessageId"]
    assert message.properties["application_headers"] == {
        "proposal": "HG-1",
        "number": -7,
        "share": "0.5",
        "raw": b"\xff\x00",
        "pacer": "not ours",
    }
    info = message.delivery_info
    assert (info["exchange"], info["routing_key"]) == ("", "q")


@pytest.mark.parametrize("attribute", [b"\x01", b"\x01\x00\x00\x00", b"\x02" + bytes(20), b"\xff" * 300])
def test_an_attribute_that_only_looks_like_ours_is_a_header(
    broker: Broker, sqs: Any, options: SqsOptions, attribute: bytes
) -> None:
    channel = broker.channel()
    declare(channel)
    sqs.send_message(
        QueueUrl=url(sqs, options),
        MessageBody="text",
        MessageAttributes={"pacer": {"DataType": "Binary", "BinaryValue": attribute}},
    )

    message = get(channel)

    assert message.body == b"text"
    assert list(message.properties["application_headers"]) == ["pacer"]


def test_more_headers_than_sqs_has_attributes_come_back(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)
    headers = {f"header-{number}": "x" * number for number in range(1, 60)}

    send(channel, "body", application_headers=headers)

    assert get(channel).properties["application_headers"] == headers


def test_a_large_body_waits_in_s3_as_amazons_client_has_it_and_goes_with_its_message(
    options: SqsOptions, large: LargeBodies, sqs: Any, objects: Any
) -> None:
    body = b"x" * ((1 << 20) + 1)
    with Broker(SQS, evolve(options, large_bodies=evolve(large, prefix="one/"))) as broker:
        channel = broker.channel()
        declare(channel)
        send(channel, body)

        found = objects.list_objects_v2(Bucket=BUCKET, Prefix="one/")["Contents"]
        (key,) = [one["Key"] for one in found]
        message = taken(sqs, url(sqs, options))
        assert json.loads(message["Body"]) == [
            "software.amazon.payloadoffloading.PayloadS3Pointer",
            {"s3BucketName": BUCKET, "s3Key": key},
        ]
        assert message["MessageAttributes"]["ExtendedPayloadSize"] == {
            "DataType": "Number",
            "StringValue": str(len(body)),
        }
        sqs.change_message_visibility(
            QueueUrl=url(sqs, options), ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )

        ours = get(channel)
        assert ours.body == body
        channel.basic_ack(ours.delivery_tag)
        assert eventually(lambda: objects.list_objects_v2(Bucket=BUCKET, Prefix="one/").get("KeyCount") == 0)


@pytest.mark.parametrize("attribute", ["ExtendedPayloadSize", "SQSLargePayloadSize"])
def test_a_large_body_of_amazons_client_is_read(
    options: SqsOptions, large: LargeBodies, sqs: Any, objects: Any, attribute: str
) -> None:
    objects.put_object(Bucket=BUCKET, Key="theirs", Body=b"a large body")
    with Broker(SQS, evolve(options, large_bodies=large)) as broker:
        channel = broker.channel()
        declare(channel)
        _point(sqs, url(sqs, options), BUCKET, "theirs", attribute)

        assert get(channel).body == b"a large body"


@pytest.mark.parametrize(("pointed", "key"), [("somebody-elses", "secret"), (BUCKET, "not-there")])
def test_a_pointer_that_may_not_be_followed_is_handed_out_as_it_is_and_nothing_is_removed(
    options: SqsOptions, large: LargeBodies, sqs: Any, objects: Any, pointed: str, key: str
) -> None:
    if pointed != BUCKET:
        objects.create_bucket(Bucket=pointed)
        objects.put_object(Bucket=pointed, Key=key, Body=b"not for PACER")
    with Broker(SQS, evolve(options, large_bodies=large)) as broker:
        channel = broker.channel()
        declare(channel)
        _point(sqs, url(sqs, options), pointed, key, "ExtendedPayloadSize")

        message = get(channel)
        assert json.loads(message.body)[1] == {"s3BucketName": pointed, "s3Key": key}
        channel.basic_ack(message.delivery_tag)
        assert count(channel) == 0
    if pointed != BUCKET:
        assert objects.get_object(Bucket=pointed, Key=key)["Body"].read() == b"not for PACER"


def _point(sqs: Any, queue: str, bucket: str, key: str, attribute: str) -> None:
    pointer = ["com.amazon.sqs.javamessaging.MessageS3Pointer", {"s3BucketName": bucket, "s3Key": key}]
    sqs.send_message(
        QueueUrl=queue,
        MessageBody=json.dumps(pointer),
        MessageAttributes={attribute: {"DataType": "Number", "StringValue": "12"}},
    )


def test_a_large_body_without_a_bucket_is_refused_and_says_what_to_do(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel)

    with pytest.raises(PreconditionFailed, match=r"1,048,576 that SQS takes .* 'largeBodies'"):
        send(channel, b"x" * (1 << 20))

    assert count(channel) == 0


def test_a_name_that_is_too_long_for_sqs_is_refused(broker: Broker) -> None:
    channel = broker.channel()

    with pytest.raises(PreconditionFailed, match="at most 80 characters"):
        declare(channel, "x" * 90)


def test_a_group_is_handled_in_order_and_by_one_at_a_time(broker: Broker) -> None:
    channel = broker.channel(prefetch=10)
    declare(channel, "q.fifo")
    for number in range(6):
        send(channel, number, to="q.fifo", application_headers={"MessageGroupId": "ab"[number % 2]})
    first, second = get(channel, "q.fifo"), Inbox(broker.channel(prefetch=10), "q.fifo")

    assert first.body == b"0"
    assert second.wait(3)  # group b alone
    assert second.stays_at(3, 1.0)
    assert second.bodies == ["1", "3", "5"]
    channel.basic_ack(first.delivery_tag)

    second.wait(5)
    assert second.bodies[3:] == ["2", "4"]
    assert second.messages[0].properties["application_headers"] == {"MessageGroupId": "b"}


def test_the_group_of_another_programs_message_is_a_header(
    broker: Broker, sqs: Any, options: SqsOptions
) -> None:
    channel = broker.channel()
    declare(channel, "q.fifo")
    sqs.send_message(
        QueueUrl=url(sqs, options, "q.fifo"),
        MessageBody="text",
        MessageGroupId="HG-1",
        MessageDeduplicationId="1",
    )

    assert get(channel, "q.fifo").properties["application_headers"] == {"MessageGroupId": "HG-1"}


def test_a_redrive_policy_that_counts_stops_of_workers_is_warned_of(
    broker: Broker, sqs: Any, options: SqsOptions, caplog: pytest.LogCaptureFixture
) -> None:
    channel = broker.channel()
    declare(channel, "theirs")
    declare(channel)
    arn = sqs.get_queue_attributes(QueueUrl=url(sqs, options, "theirs"), AttributeNames=["QueueArn"])
    policy = {"deadLetterTargetArn": arn["Attributes"]["QueueArn"], "maxReceiveCount": 3}
    sqs.set_queue_attributes(QueueUrl=url(sqs, options), Attributes={"RedrivePolicy": json.dumps(policy)})

    Inbox(channel)

    assert (
        f"SQS moves messages of q to {options.queue_prefix}theirs when they were received 3 times"
        in caplog.text
    )


def test_equal_messages_on_a_fifo_queue_are_two(broker: Broker) -> None:
    channel = broker.channel()
    declare(channel, "q.fifo")

    send(channel, "same", "same", to="q.fifo", message_id="m")

    assert count(channel, "q.fifo") == 2


def test_a_recipients_exchange_reaches_the_queues_that_its_options_bind(options: SqsOptions) -> None:
    with Broker(SQS, options) as broker:
        declare(broker.channel(), "theirs")
    bound = evolve(
        options,
        bindings=(Binding("office", "theirs", "a.#", "topic"), Binding("office", "none", "#", "topic")),
    )
    with Broker(SQS, bound) as broker:
        channel = broker.channel()
        channel.exchange_declare("office", "direct", passive=True)
        channel.basic_publish(Message(b"body"), exchange="office", routing_key="a.b", mandatory=True)

        assert get(channel, "theirs").body == b"body"
