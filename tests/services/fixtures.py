"""The services as fixtures, for the tests of the core and of every plugin."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.services import (
    ElasticMQ,
    Elasticsearch,
    Kafka,
    PostgreSQL,
    RabbitMQ,
    Redis,
    RedisCluster,
    RedisSentinels,
    ServiceMissingError,
)
from tests.services.elasticsearch import ELASTICSEARCH, OPENSEARCH, Product


@contextmanager
def skip_without_program() -> Iterator[None]:
    """Skip a test whose server is not installed; with PACER_REQUIRE_SERVICES=1, fail it."""
    try:
        yield
    except ServiceMissingError as missing:
        if os.environ.get("PACER_REQUIRE_SERVICES") == "1":
            pytest.fail(f"{missing} (required, since PACER_REQUIRE_SERVICES=1)", pytrace=False)
        pytest.skip(str(missing))


@pytest.fixture
def start_rabbitmq() -> Iterator[Callable[..., RabbitMQ]]:
    """Start nodes of this test's own, to stop, to kill or to configure: ``start_rabbitmq(plugins=[...])``."""
    with ExitStack() as nodes:

        def start(**options: Any) -> RabbitMQ:
            with skip_without_program():
                node = RabbitMQ(**options)
            return nodes.enter_context(node)

        yield start


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    """A RabbitMQ node for the whole session; tests that stop or kill one use ``start_rabbitmq``."""
    with skip_without_program():
        node = RabbitMQ()
    with node:
        yield node


@pytest.fixture
def rabbitmq_vhost(rabbitmq: RabbitMQ) -> Iterator[str]:
    """The name of a virtual host that this test alone uses: ``rabbitmq.url(rabbitmq_vhost)``."""
    with rabbitmq.vhost() as name:
        yield name


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL server for the whole session; a test that stops or kills it starts it again."""
    with skip_without_program():
        server = PostgreSQL()
    with server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """A Redis for the whole session, in which tests have names of their own."""
    with skip_without_program():
        server = Redis()
    with server:
        yield server


@pytest.fixture
def start_redis() -> Iterator[Callable[..., Redis]]:
    """Start servers of this test's own, to stop, to kill or to configure: ``start_redis(config={...})``."""
    with ExitStack() as servers:

        def start(**options: Any) -> Redis:
            with skip_without_program():
                server = Redis(**options)
            return servers.enter_context(server)

        yield start


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """A Kafka broker for the whole session; a test that stops or kills it starts it again."""
    with skip_without_program():
        broker = Kafka()
    with broker:
        yield broker


@pytest.fixture
def start_kafka() -> Iterator[Callable[..., Kafka]]:
    """Start brokers of this test's own, with accounts or TLS for instance."""
    with ExitStack() as brokers:

        def start(**options: Any) -> Kafka:
            with skip_without_program():
                broker = Kafka(**options)
            return brokers.enter_context(broker)

        yield start


@pytest.fixture
def redis_sentinels() -> Iterator[RedisSentinels]:
    """A master, a replica and three sentinels of this test's own."""
    with skip_without_program():
        those = RedisSentinels()
    with those:
        yield those


@pytest.fixture(scope="module")
def redis_cluster() -> Iterator[RedisCluster]:
    """A cluster of three masters and three replicas for the tests of a module."""
    with skip_without_program():
        those = RedisCluster()
    with those:
        yield those


@pytest.fixture(scope="session")
def elasticsearch() -> Iterator[Elasticsearch]:
    """An Elasticsearch node for the whole session; skipped where its jars cannot be fetched."""
    yield from _search_node(ELASTICSEARCH)


@pytest.fixture(scope="session")
def opensearch() -> Iterator[Elasticsearch]:
    """An OpenSearch node for the whole session; skipped where its jars cannot be fetched."""
    yield from _search_node(OPENSEARCH)


@pytest.fixture(scope="session")
def elasticmq() -> Iterator[ElasticMQ]:
    """An ElasticMQ for the whole session; skipped where its jars cannot be fetched."""
    with skip_without_program():
        server = ElasticMQ()
    with server:
        yield server


def _search_node(product: Product) -> Iterator[Elasticsearch]:
    try:
        node = Elasticsearch(product)
    except ServiceMissingError as missing:
        pytest.skip(str(missing))
    with node:
        yield node
