"""A private Kafka broker, whose jars come from Maven Central: one node in KRaft mode."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from tests.services.base import Nest, ServiceFailedError, free_port, listens, program
from tests.services.jars import Jars
from tests.services.server import Server

JARS = Jars("Kafka", "4.4.0", Path(__file__).with_name("kafka.pom.xml"))
_JVM = ("-Xms64m", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
_ONE_NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAIN",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",  # so that tests need not wait for members that they have killed
    # After a power cut the controller waits until the broker that was there has been given up.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
}


class Kafka(Server):
    """A Kafka broker of one's own: a free port, a temporary folder; anybody may do everything.

    Parameters
    ----------
    config
        Further settings, as in ``server.properties``.
    listeners
        Further listeners by name, each with its security protocol (``{"SAFE": "SASL_SSL"}``); see `address`.
    scram
        Accounts by name, with their passwords, for SCRAM-SHA-256.

    Raises
    ------
    ServiceMissingError
        Where Java is not installed, or the jars cannot be had.
    ServiceFailedError
        Where it does not start.
    """

    name = "Kafka"

    def __init__(
        self,
        *,
        config: Mapping[str, str] | None = None,
        listeners: Mapping[str, str] | None = None,
        scram: Mapping[str, str] | None = None,
    ) -> None:
        java = program("java", package="default-jre-headless")
        self._java = (java, *_JVM, "-cp", f"{JARS.folder()}/*")
        super().__init__(Nest("kafka"))
        self._starts = 0
        try:
            named = {"PLAIN": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **(listeners or {})}
            self._ports = {name: free_port() for name in named}
            self._configure(named, config or {})
            self._format(
                [
                    f"--add-scram=SCRAM-SHA-256=[name={name},password={password}]"
                    for name, password in (scram or {}).items()
                ]
            )
            self.start()
        except BaseException:
            self.close()
            raise

    def address(self, listener: str = "PLAIN") -> str:
        """Give host and port of a listener, as ``bootstrap.servers`` has them."""
        return f"127.0.0.1:{self._ports[listener]}"

    def log(self, lines: int = 100) -> str:
        """Give the last lines of what it has printed since it was started."""
        file = self._nest.folder / f"output-{self._starts}.log"
        return "\n".join(file.read_text(errors="replace").splitlines()[-lines:]) if file.exists() else ""

    def _configure(self, listeners: Mapping[str, str], more: Mapping[str, str]) -> None:
        public = [name for name in listeners if name != "CONTROLLER"]
        settings = {
            **_ONE_NODE,
            "log.dirs": str(self._nest.folder / "data"),
            "controller.quorum.voters": f"1@{self.address('CONTROLLER')}",
            "listeners": ",".join(f"{name}://{self.address(name)}" for name in listeners),
            "advertised.listeners": ",".join(f"{name}://{self.address(name)}" for name in public),
            "listener.security.protocol.map": ",".join(f"{name}:{how}" for name, how in listeners.items()),
            **more,
        }
        text = "".join(f"{name}={value}\n" for name, value in settings.items())
        (self._nest.folder / "server.properties").write_text(text)

    def _format(self, accounts: Sequence[str]) -> None:
        tool = ("kafka.tools.StorageTool", "format", "-t", uuid4().hex[:22], "-c", "server.properties")
        done = subprocess.run(
            [*self._java, *tool, *accounts], cwd=self._nest.folder, capture_output=True, text=True
        )
        if done.returncode:
            raise ServiceFailedError(f"Kafka cannot format its folder: {done.stdout}{done.stderr}")

    def _launch(self) -> subprocess.Popen[bytes]:
        self._starts += 1
        return self._nest.start(
            *self._java,
            "kafka.Kafka",
            "server.properties",
            env=dict(os.environ),
            log=f"output-{self._starts}.log",
        )

    def _responds(self) -> bool:
        # It listens before its controller lets anybody in: the log says when it has.
        return listens(self._ports["PLAIN"]) and "Kafka Server started" in self.log(50)
