"""Private instances of servers, for tests and benchmarks: started without root, gone afterwards."""

from tests.services.base import ServiceFailedError, ServiceMissingError
from tests.services.elasticmq import ElasticMQ
from tests.services.elasticsearch import Elasticsearch
from tests.services.kafka import Kafka
from tests.services.postgresql import PostgreSQL
from tests.services.rabbitmq import RabbitMQ
from tests.services.redis import Redis, RedisCluster, RedisSentinels

__all__ = [
    "ElasticMQ",
    "Elasticsearch",
    "Kafka",
    "PostgreSQL",
    "RabbitMQ",
    "Redis",
    "RedisCluster",
    "RedisSentinels",
    "ServiceFailedError",
    "ServiceMissingError",
]
