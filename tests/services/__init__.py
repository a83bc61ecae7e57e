"""Private instances of servers, for tests and benchmarks: started without root, gone afterwards."""

from tests.services.base import ServiceFailedError, ServiceMissingError
from tests.services.elasticsearch import Elasticsearch
from tests.services.kafka import Kafka
from tests.services.postgresql import PostgreSQL
from tests.services.rabbitmq import RabbitMQ

__all__ = ["Elasticsearch", "Kafka", "PostgreSQL", "RabbitMQ", "ServiceFailedError", "ServiceMissingError"]
