"""PACER for Kafka: what a facility's control system says on its topics becomes messages."""

from pacer_kafka.decoders import KafkaDecoder
from pacer_kafka.options import KafkaOptions, Topic
from pacer_kafka.service import KAFKA

__all__ = ["KAFKA", "KafkaDecoder", "KafkaOptions", "Topic"]
