"""The scripts of the how-to guides do what they are there for."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import kombu
import pytest

from pacer_core import BadField, Delivery, Envelope, Outcome
from pacer_core.messages import TaskFailure
from pacer_core.transport.headers import dead_headers
from tests.docs.pages import ROOT, agrees, blocks, commands
from tests.services import RabbitMQ

PAGE = ROOT / "docs/how-to/handle-dead-messages.md"
QUEUE = "icat-dataset-ingest"
BODY = b'\xef\xbb\xbf{"name": ""}\r\n'


@pytest.fixture
def broker(rabbitmq: RabbitMQ, rabbitmq_vhost: str) -> str:
    """Give the URL of a broker with one message in a dead queue."""
    url = rabbitmq.url(rabbitmq_vhost)
    envelope = Envelope(
        BODY, QUEUE, headers={"beamline": "bl06"}, correlation_id="30a8-77", first_seen=datetime.now(UTC)
    )
    failure = TaskFailure("parse", "reject", "bad", fields=(BadField("name", "is empty"),))
    delivery = Delivery(envelope, "datasets", Outcome.DEAD, failures=(failure,))
    with kombu.Connection(url) as connection:
        channel = connection.default_channel
        for queue in (QUEUE, f"{QUEUE}.dead"):
            channel.queue_declare(queue, durable=True, auto_delete=False)
        message = channel.prepare_message(
            BODY,
            content_type="application/json",
            content_encoding="utf-8",
            headers=dead_headers(delivery, 0, "parse: the message has bad fields"),
            properties={"message_id": "m-1", "correlation_id": "c-1"},
        )
        channel.basic_publish(message, routing_key=f"{QUEUE}.dead")
    return url


def test_dead_messages_can_be_seen_and_sent_again_with_the_scripts_of_the_guide(
    broker: str, tmp_path: Path
) -> None:
    for block in blocks(PAGE):
        if block.file is not None:
            (tmp_path / block.file).write_text(block.text)
        for command in commands(block) if block.language == "console" else ():
            python, *arguments = command.text.replace("amqp://localhost", broker).split()
            assert python == "python"
            done = subprocess.run([sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            assert agrees(done.stdout, command.output), done.stdout
    with kombu.Connection(broker) as connection:
        channel = connection.default_channel
        channel.auto_decode = False
        assert channel.basic_get(f"{QUEUE}.dead") is None
        message = channel.basic_get(QUEUE)
        assert bytes(message.body) == BODY
        assert message.properties["message_id"] == "m-1"
        assert message.properties["application_headers"] == {
            "beamline": "bl06",
            "x-pacer-correlation-id": "30a8-77",
        }
