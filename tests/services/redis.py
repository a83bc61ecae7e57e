"""Private Redis servers: one alone, a master with replicas and sentinels, a cluster."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.services.base import (
    Nest,
    ServiceFailedError,
    free_port,
    program,
    program_elsewhere,
    wait_until,
)
from tests.services.server import Server

PACKAGE = "redis-server"
SAFE = {"appendonly": "yes", "appendfsync": "always", "save": '""'}
SERVICE = "main"

# The path of another server, of this system or, for root, of another one: redis-server or valkey-server, its
# command line client beside it. "PACER_REDIS=/opt/trixie/usr/bin/valkey-server".
OTHER = os.environ.get("PACER_REDIS", "")


class Redis(Server):
    """A Redis server of one's own: a free port, a temporary folder, every write on disk when it is answered.

    Parameters
    ----------
    config
        Further settings, as in ``redis.conf``: ``{"maxmemory": "20mb"}``.
    sentinel
        Whether it is a sentinel, which keeps no data.

    Raises
    ------
    ServiceMissingError
        Where Redis is not installed.
    ServiceFailedError
        Where it does not start.
    """

    name = "Redis"
    patience = 60.0

    def __init__(self, *, config: Mapping[str, str | int] | None = None, sentinel: bool = False) -> None:
        self._server, self._client = _command("server"), _command("cli")
        self.port = free_port()
        self._sentinel = sentinel
        self._config = {**({} if sentinel else SAFE), **(config or {})}
        super().__init__(Nest("redis"))
        try:
            self._write()
            self.start()
        except BaseException:
            self._nest.close()
            raise

    @property
    def folder(self) -> Path:
        """Where it keeps its files."""
        return self._nest.folder

    def _write(self) -> None:
        """Write its configuration once: sentinels and replicas rewrite it themselves."""
        settings = {"port": self.port, "bind": "127.0.0.1", "dir": str(self.folder), **self._config}
        lines = [f"{name} {value}" for name, value in settings.items()]
        (self.folder / "redis.conf").write_text("\n".join(lines) + "\n")

    def _launch(self) -> subprocess.Popen[bytes]:
        mode = ["--sentinel"] if self._sentinel else []
        command = [*self._server, str(self.folder / "redis.conf"), *mode]
        return self._nest.start(*command, env=dict(os.environ), log="output.log")

    def _responds(self) -> bool:
        return self.tell("PING", check=False).strip().startswith(("PONG", "NOAUTH"))

    def tell(self, *words: str, check: bool = True) -> str:
        """Run a command in it, and give the answer as redis-cli prints it."""
        command = [*self._client, "-h", "127.0.0.1", "-p", str(self.port), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        if check and done.returncode:
            raise ServiceFailedError(f"redis-cli {' '.join(words)}: {done.stderr or done.stdout}")
        return done.stdout

    def log(self, lines: int = 100) -> str:
        """Give the last lines of what it has printed."""
        file = self.folder / "output.log"
        return "\n".join(file.read_text(errors="replace").splitlines()[-lines:]) if file.exists() else ""


class _Several:
    """Servers that end together."""

    def __init__(self) -> None:
        self._open = ExitStack()

    def _start(self, **options: object) -> Redis:
        return self._open.enter_context(Redis(**options))  # type: ignore[arg-type]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()


class RedisSentinels(_Several):
    """A master, a replica, and three sentinels that make the replica the master within seconds."""

    def __init__(self) -> None:
        super().__init__()
        with ExitStack() as undo:
            undo.callback(self._open.close)
            first = self._start()
            second = self._start(config={"replicaof": f"127.0.0.1 {first.port}"})
            self.servers = (first, second)
            watch = {
                "sentinel monitor": f"{SERVICE} 127.0.0.1 {first.port} 2",
                "sentinel down-after-milliseconds": f"{SERVICE} 1000",
                "sentinel failover-timeout": f"{SERVICE} 5000",
            }
            self.sentinels = [self._start(config=watch, sentinel=True) for _ in range(3)]
            wait_until(
                self._know_each_other, seconds=60, what="the sentinels know each other and the replica"
            )
            undo.pop_all()

    @property
    def hosts(self) -> tuple[str, ...]:
        """The sentinels' addresses."""
        return tuple(f"127.0.0.1:{one.port}" for one in self.sentinels)

    @property
    def master(self) -> Redis:
        """The server that is the master, as the first sentinel has it."""
        words = self.sentinels[0].tell("SENTINEL", "get-master-addr-by-name", SERVICE).split()
        return next(one for one in self.servers if str(one.port) == words[1])

    def _know_each_other(self) -> bool:
        def told(sentinel: Redis) -> dict[str, str]:
            words = sentinel.tell("SENTINEL", "master", SERVICE).splitlines()
            return dict(zip(words[::2], words[1::2], strict=False))

        linked = "master_link_status:up" in self.servers[1].tell("INFO", "replication")
        each = [told(one) for one in self.sentinels]
        return linked and all(
            one.get("num-other-sentinels") == "2" and one.get("num-slaves") == "1" for one in each
        )


class RedisCluster(_Several):
    """Three masters and three replicas that share the slots."""

    def __init__(self) -> None:
        super().__init__()
        with ExitStack() as undo:
            undo.callback(self._open.close)
            self.servers = [self._node() for _ in range(6)]
            self._make()
            undo.pop_all()

    def _node(self) -> Redis:
        config: dict[str, str | int] = {"cluster-enabled": "yes", "cluster-node-timeout": 2000}
        if _says_where_its_bus_is():
            config["cluster-port"] = free_port()
        return self._start(config=config)

    def _make(self) -> None:
        nodes = [f"127.0.0.1:{one.port}" for one in self.servers]
        self.servers[0].tell("--cluster", "create", *nodes, "--cluster-replicas", "1", "--cluster-yes")
        wait_until(self._is_up, seconds=60, what="the cluster is up")

    def _is_up(self) -> bool:
        return all(
            "cluster_state:ok" in one.tell("CLUSTER", "INFO")
            and "cluster_slots_ok:16384" in one.tell("CLUSTER", "INFO")
            for one in self.servers
        ) and all("master_link_status:down" not in one.tell("INFO", "replication") for one in self.servers)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The nodes' addresses."""
        return tuple(f"127.0.0.1:{one.port}" for one in self.servers)

    def owner(self, key: str) -> Redis:
        """Give the master that has a key."""
        slot = int(self.servers[0].tell("CLUSTER", "KEYSLOT", key))
        for line in self._any().tell("CLUSTER", "NODES").splitlines():
            (
                _,
                where,
                flags,
                *_,
            ) = line.split()
            ranges = [part.partition("-") for part in line.split()[8:] if not part.startswith("[")]
            if "master" in flags and any(int(low) <= slot <= int(high or low) for low, _, high in ranges):
                port = where.partition("@")[0].rpartition(":")[2]
                return next(one for one in self.servers if str(one.port) == port)
        raise ServiceFailedError(f"nobody has the slot of {key}")

    def _any(self) -> Redis:
        return next(one for one in self.servers if one.running)


def _command(what: str) -> tuple[str, ...]:
    """Give what starts the server or its client: of this system, or what ``PACER_REDIS`` names."""
    if not OTHER:
        return (program(f"redis-{what}", package=PACKAGE),)
    path = OTHER.removesuffix("server") + what
    root, folder, name = path.partition("/usr/bin/")
    if root and folder:
        return program_elsewhere(root, folder + name, variable="PACER_REDIS")
    return (program(path, package=PACKAGE),)


def _says_where_its_bus_is() -> bool:
    """Tell whether ``cluster-port`` is known, as since Redis 7; before, it is the port and 10 000."""
    said = subprocess.run([*_command("server"), "--version"], capture_output=True, text=True).stdout
    return re.search(r"v=[0-6]\.", said) is None
