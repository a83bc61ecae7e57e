"""What a Redis has to be, before a message is trusted to it."""

from __future__ import annotations

from typing import Any

from redis.exceptions import NoPermissionError, ResponseError

from pacer_core import BrokerError
from pacer_redis.options import Require

OLDEST = (6, 2)


def check(client: Any, require: Require, broker: str) -> dict[str, str]:
    """Give what it is: ``product`` and ``version``.

    Raises
    ------
    BrokerError
        Where it is too old, a replica, may evict messages, or may lose what it has confirmed; it says how to
        change that.
    """
    info = client.info()
    product = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get("valkey_version") or info.get("redis_version", "0"))
    if product == "Redis" and tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise BrokerError(f"{broker} is Redis {version}; PACER needs 6.2 or newer: upgrade it")
    if info.get("role") not in (None, "master"):
        raise BrokerError(
            f"{broker} is a replica, which takes no messages: name the master, or the sentinels that know it"
        )
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise BrokerError(
            f"{broker} has 'maxmemory-policy {policy}', which removes messages when its memory is full: "
            "set 'maxmemory-policy noeviction' in redis.conf"
        )
    _check_persistence(client, info, require, broker)
    return {"product": product, "version": version}


def _check_persistence(client: Any, info: dict[str, Any], require: Require, broker: str) -> None:
    if require.appendfsync == "any":
        return
    if not info.get("aof_enabled"):
        raise BrokerError(
            f"{broker} keeps no append-only file, so that its crash loses messages that it has confirmed: "
            f"set 'appendonly yes' and 'appendfsync {require.appendfsync}' in redis.conf, or accept the loss "
            "with 'require: {appendfsync: any}'"
        )
    try:
        found = client.config_get("appendfsync").get("appendfsync", "")
    except (NoPermissionError, ResponseError) as error:
        raise BrokerError(
            f"{broker} does not tell its 'appendfsync' ({error}): allow the account CONFIG GET "
            "(+config|get), or say 'require: {appendfsync: any}' where its operator warrants it"
        ) from None
    accept = "everysec" if found == "everysec" else "any"
    enough = ("always",) if require.appendfsync == "always" else ("always", "everysec")
    if found not in enough:
        raise BrokerError(
            f"{broker} has 'appendfsync {found}', so that a crash of its machine loses messages of the last "
            f"second or more, which it has confirmed: set 'appendfsync {require.appendfsync}' in redis.conf, "
            f"or accept the loss with 'require: {{appendfsync: {accept}}}'"
        )
