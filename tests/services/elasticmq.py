"""A private ElasticMQ, which speaks as Amazon SQS does; its jars come from Maven Central."""

from __future__ import annotations

import os
import subprocess
import urllib.request
from pathlib import Path

from tests.services.base import Nest, free_port, program
from tests.services.jars import Jars
from tests.services.server import Server

JARS = Jars("ElasticMQ", "1.7.1", Path(__file__).with_name("elasticmq.pom.xml"))

# Without WRITE_DELAY=0 it has not written the last moments when it is killed.
_CONFIG = """
include classpath("application.conf")
node-address {{ protocol = http, host = "127.0.0.1", port = {port}, context-path = "" }}
rest-sqs {{ enabled = true, bind-port = {port}, bind-hostname = "127.0.0.1", sqs-limits = strict }}
rest-stats {{ enabled = false }}
messages-storage {{
  enabled = true, driver-class = org.h2.Driver, uri = "jdbc:h2:{folder}/messages;WRITE_DELAY=0"
}}
"""


class ElasticMQ(Server):
    """An ElasticMQ of one's own: it comes back with its port, its queues and its messages.

    Raises
    ------
    ServiceMissingError
        Where Java is not installed, or the jars cannot be had.
    ServiceFailedError
        Where it does not start.
    """

    name = "ElasticMQ"

    def __init__(self) -> None:
        self._java = program("java", package="default-jre-headless")
        self._jars = JARS.folder()
        self.port = free_port()
        super().__init__(Nest("elasticmq"))
        folder = self._nest.folder
        (folder / "elasticmq.conf").write_text(_CONFIG.format(port=self.port, folder=folder))
        try:
            self.start()
        except BaseException:
            self._nest.close()
            raise

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def _launch(self) -> subprocess.Popen[bytes]:
        return self._nest.start(
            self._java, "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
            "-Dconfig.file=elasticmq.conf", "-cp", f"{self._jars}/*", "org.elasticmq.server.Main",
            env=dict(os.environ), log="elasticmq.log",
        )  # fmt: skip

    def _responds(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def log(self, lines: int = 100) -> str:
        """Give the last lines of what it has printed."""
        said = (self._nest.folder / "elasticmq.log").read_text(errors="replace")
        return "\n".join(said.splitlines()[-lines:])
