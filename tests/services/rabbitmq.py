"""A private RabbitMQ node."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from urllib.parse import quote

from tests.services.base import (
    Nest,
    ServiceFailedError,
    free_port,
    listens,
    program,
    program_elsewhere,
    wait_until,
)
from tests.services.server import Server

PACKAGE = "rabbitmq-server"
# Not the wrapper in /usr/sbin, which refuses everybody but root and the user rabbitmq.
FOLDER = "/usr/lib/rabbitmq/bin"
NODE = "rabbit@localhost"

# The root of another system, in which RabbitMQ, Erlang and epmd are taken: "PACER_RABBITMQ=/opt/trixie".
OTHER_ROOT = os.environ.get("PACER_RABBITMQ", "")

# What makes a plugin listen on a port of ours.
LISTENERS = {
    "rabbitmq_management": "management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {port}",
    "rabbitmq_stomp": "stomp.listeners.tcp.1 = 127.0.0.1:{port}",
}


class RabbitMQ(Server):
    """A RabbitMQ node of one's own: free ports, a temporary folder, and an epmd that nobody else knows.

    It comes back with its ports, definitions and durable messages.

    Parameters
    ----------
    plugins
        RabbitMQ's own plugins to enable. ``ports`` has the ports of those that listen: ``rabbitmq_stomp``,
        ``rabbitmq_management``.
    config
        Further lines for ``rabbitmq.conf``: ``{"consumer_timeout": 10000}``.

    Raises
    ------
    ServiceMissingError
        Where RabbitMQ is not installed.
    ServiceFailedError
        Where it does not start.
    """

    name = "RabbitMQ"

    def __init__(self, *, plugins: Sequence[str] = (), config: Mapping[str, str | int] | None = None) -> None:
        self._server = _command("rabbitmq-server", FOLDER, package=PACKAGE)
        self._ctl = _command("rabbitmqctl", FOLDER, package=PACKAGE)
        self._epmd = _command("epmd", package="erlang-base")
        self._erl_call = _command("erl_call", package="erlang-base")
        self.port = free_port()
        self.ports = {plugin: free_port() for plugin in plugins if plugin in LISTENERS}
        self._cookie = secrets.token_hex(16)
        self._vhosts = 0
        super().__init__(Nest("rabbitmq"))
        try:
            self._prepare(plugins, config or {})
            self.start()
        except BaseException:
            self._nest.close()
            raise

    def _prepare(self, plugins: Sequence[str], config: Mapping[str, str | int]) -> None:
        folder = self._nest.folder
        cookie = folder / ".erlang.cookie"
        cookie.write_text(self._cookie)
        cookie.chmod(0o400)
        (folder / "enabled_plugins").write_text(f"[{', '.join(plugins)}].")
        lines = [LISTENERS[plugin].format(port=port) for plugin, port in self.ports.items()]
        lines += [f"{key} = {value}" for key, value in config.items()]
        (folder / "rabbitmq.conf").write_text("".join(f"{line}\n" for line in lines))
        foreign = ("RABBITMQ_", "ERL_", "ERLANG_", "ELIXIR_")
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith(foreign)},
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "ERL_EPMD_PORT": str(free_port()),
            "RABBITMQ_NODENAME": NODE,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "detached": "yes",  # the script becomes the node, where it would keep it as its child
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",  # nor any other setting of the machine's own node
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONFIG_FILES": str(folder / "none"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "none.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
        }
        # Erlang would start one as a daemon, and leave it behind.
        self._nest.start(*self._epmd, "-address", "127.0.0.1", env=self._env, log="epmd.log")
        port = int(self._env["ERL_EPMD_PORT"])
        wait_until(lambda: listens(port), seconds=20, what="epmd listens")

    def _launch(self) -> subprocess.Popen[bytes]:
        return self._nest.start(*self._server, env=self._env, log="output.log")

    def url(self, vhost: str = "/") -> str:
        """Give the AMQP URL of a virtual host, as kombu and others read it."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{quote(vhost, safe='')}"

    def new_vhost(self) -> str:
        """Make a virtual host on which ``guest`` may do everything, and give its name."""
        self._vhosts += 1
        name = f"test-{self._vhosts}"
        self._evaluate(
            f'rabbit_vhost:add(<<"{name}">>, <<"tests">>), '
            f'rabbit_auth_backend_internal:set_permissions(<<"guest">>, <<"{name}">>, '
            '<<".*">>, <<".*">>, <<".*">>, <<"tests">>).'
        )
        return name

    def delete_vhost(self, name: str) -> None:
        """Remove a virtual host made with `new_vhost`, with all its queues and connections."""
        self._evaluate(f'rabbit_vhost:delete(<<"{name}">>, <<"tests">>).')

    @contextmanager
    def vhost(self) -> Iterator[str]:
        """Make a virtual host, and remove it afterwards where the node is still running."""
        name = self.new_vhost()
        try:
            yield name
        finally:
            if self.running:
                self.delete_vhost(name)

    @contextmanager
    def held(self, vhost: str, queue: str) -> Iterator[None]:
        """Keep the channels that consume a queue from handling anything, as a busy node does, until it ends.

        What they are told meanwhile waits, in its order.
        """
        self._evaluate(
            f'{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"{vhost}">>, queue, <<"{queue}">>)), '
            "Held = lists:usort([element(1, One) || One <- rabbit_amqqueue:consumers(Q)]), [_ | _] = Held, "
            "persistent_term:put(held, Held), lists:foreach(fun sys:suspend/1, Held)."
        )
        try:
            yield
        finally:
            self._evaluate("lists:foreach(fun sys:resume/1, persistent_term:get(held)).")

    def ctl(self, *arguments: str) -> str:
        """Give what ``rabbitmqctl`` prints; it takes half a second.

        Raises
        ------
        ServiceFailedError
            Where it fails, with what it says.
        """
        return self._run(*self._ctl, "--quiet", *arguments)

    def log(self, lines: int = 100) -> str:
        """Give the last lines of what the node has printed and logged."""
        files = [self._nest.folder / "output.log", self._nest.folder / "log" / f"{NODE}.log"]
        text = [file.read_text(errors="replace") for file in files if file.exists()]
        return "\n".join("\n".join(one.splitlines()[-lines:]) for one in text)

    def _evaluate(self, expression: str) -> None:
        # 16 ms for a virtual host with its permissions, where two calls of rabbitmqctl take a second, and
        # the HTTP interface 25 ms and a plugin in every node.
        call = (*self._erl_call, "-sname", NODE, "-c", self._cookie, "-timeout", "60", "-e")
        for last in (False,) * 20 + (True,):
            try:
                answer = self._run(*call, text=expression + "\n")
                break
            except ServiceFailedError as error:
                # Now and then it is refused while another tool connects or leaves; nothing was evaluated.
                if last or "failed to connect" not in f"{error}":
                    raise
                time.sleep(0.1)
        if answer != "{ok, ok}":
            raise ServiceFailedError(f"RabbitMQ refused {expression}\n{answer}")

    def _run(self, *command: str, text: str = "") -> str:
        done = subprocess.run(
            command, env=self._env, cwd=self._nest.folder, input=text, capture_output=True, text=True
        )
        if done.returncode:
            raise ServiceFailedError(f"{' '.join(command)}: {done.stderr or done.stdout}")
        return done.stdout

    def _responds(self) -> bool:
        # The listener for AMQP is the last thing that a node starts; plugins listen before.
        return listens(self.port, say=b"AMQP\x00\x00\x09\x01")


def _command(name: str, *folders: str, package: str) -> tuple[str, ...]:
    """Give what starts a program: of this system, or, for root, of the one that ``PACER_RABBITMQ`` names."""
    if not OTHER_ROOT:
        return (program(name, *folders, package=package),)
    paths = [f"{folder}/{name}" for folder in (*folders, "/usr/bin")]
    return program_elsewhere(OTHER_ROOT, *paths, variable="PACER_RABBITMQ")
