"""Opening a Redis: one server, the master that sentinels name, or the node of a cluster that has our slot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import redis
import redis.cluster
import redis.sentinel
from redis.backoff import NoBackoff
from redis.retry import Retry

from pacer_core import BrokerError
from pacer_redis.options import RedisOptions, Tls, addresses

# Types of redis-py end here.
_Sentinel: Any = redis.sentinel.Sentinel
_Cluster: Any = redis.cluster.RedisCluster
_Node: Any = redis.cluster.ClusterNode


def open_client(options: RedisOptions, protocol: str, key: str) -> Any:
    """Give redis-py's client of the server that has `key`; several threads may use it.

    It never tries anything twice: what was sent and not answered may have been done.
    """
    common = _common(options, protocol)
    if options.sentinel is not None:
        sentinel = options.sentinel
        asking = {
            **common,
            "username": sentinel.username,
            "password": sentinel.password.reveal() if sentinel.password else None,
        }
        sentinels = _Sentinel(list(addresses(sentinel.hosts, 26379)), sentinel_kwargs=asking)
        return sentinels.master_for(sentinel.service, db=options.database, **common)
    if options.cluster:
        host, port = _node_of(options, common, key)
        return redis.Redis(host=host, port=port, **common)
    return redis.Redis(host=options.host, port=options.port, db=options.database, **common)


def _node_of(options: RedisOptions, common: dict[str, Any], key: str) -> tuple[str, int]:
    hosts = addresses(options.hosts, options.port) or ((options.host, options.port),)
    cluster = _Cluster(startup_nodes=[_Node(host, port) for host, port in hosts], **common)
    try:
        node = cluster.get_node_from_key(key)
        return str(node.host), int(node.port)
    finally:
        cluster.close()


def _common(options: RedisOptions, protocol: str) -> dict[str, Any]:
    common: dict[str, Any] = {
        "username": options.username,
        "password": options.password.reveal() if options.password else None,
        "socket_timeout": options.timeout.total_seconds(),
        "socket_connect_timeout": options.connect_timeout.total_seconds(),
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "client_name": "pacer",
    }
    if protocol == "rediss":
        _check_files(options.tls)
        common |= {
            "ssl": True,
            "ssl_ca_certs": options.tls.ca_file,
            "ssl_certfile": options.tls.certificate_file,
            "ssl_keyfile": options.tls.key_file,
            "ssl_check_hostname": True,
        }
    return common


def _check_files(tls: Tls) -> None:
    """See that all files can be read: redis-py names none.

    Raises
    ------
    BrokerError
        Where one cannot be read.
    """
    for field in attrs.fields(Tls):
        file = getattr(tls, field.name)
        if file is not None:
            try:
                Path(file).open("rb").close()
            except OSError as error:
                raise BrokerError(f"{file} of 'tls' cannot be read: {error.strerror}") from None
