"""What tests do with Kafka beside PACER."""

from __future__ import annotations

import logging
from typing import Any
from uuid import uuid4

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pacer_kafka import KafkaOptions, Topic
from tests.services import Kafka

SILENT = logging.getLogger("tests.kafka")
SILENT.setLevel(logging.CRITICAL)


_STARTING = (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE)


class Topics:
    """What a test does with Kafka beside PACER: one topic of its own, and what was committed there."""

    def __init__(self, kafka: Kafka, partitions: int = 1) -> None:
        self.kafka, self.topic, self.group = kafka, f"t-{uuid4().hex[:8]}", f"g-{uuid4().hex[:8]}"
        self._producer = Producer({"bootstrap.servers": kafka.address(), "linger.ms": 0}, logger=SILENT)
        admin = AdminClient({"bootstrap.servers": kafka.address()}, logger=SILENT)
        for future in admin.create_topics([NewTopic(self.topic, partitions, 1)]).values():
            future.result(30)

    def send(self, *values: bytes | None, partition: int = 0) -> None:
        """Produce values, and wait until Kafka has them."""
        for value in values:
            self._producer.produce(self.topic, value, partition=partition)
        assert self._producer.flush(30) == 0

    def committed(self, partition: int = 0) -> int:
        """Give the offset that the group has committed; negative where there is none yet."""
        reader = Consumer({"bootstrap.servers": self.kafka.address(), "group.id": self.group}, logger=SILENT)
        try:
            (found,) = reader.committed([TopicPartition(self.topic, partition)], timeout=30)
        except KafkaException as error:
            if error.args[0].code() not in _STARTING:
                raise
            return -1
        finally:
            reader.close()
        return int(found.offset)

    def options(self, **options: Any) -> KafkaOptions:
        """Give the options of a service that reads the topic."""
        given: dict[str, Any] = {"librdkafka": {}, "group_id": self.group} | options
        take = given.pop("take", ("wrdn", "json"))
        topic = Topic(self.topic, take, {"json": "requests"} if "json" in take else {})
        return KafkaOptions((self.kafka.address(),), (topic,), **given)
