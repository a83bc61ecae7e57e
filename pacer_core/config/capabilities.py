"""What a configuration asks of its broker, against what the broker's transport can do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from attrs import frozen

from pacer_core.config.document import Document, Path_
from pacer_core.config.problems import Code
from pacer_core.config.references import entries
from pacer_core.transport.embedded.capabilities import AMQP, MEMORY, SQLITE, Capabilities

Capability = Literal["several_processes", "several_hosts", "delays", "priorities"]
_WORDS: Mapping[Capability, str] = {
    "several_processes": "serve more than one process",
    "several_hosts": "serve more than one host",
    "delays": "hold a message back for a time",
    "priorities": "let one message overtake another",
}
TRANSPORTS: Mapping[str, Capabilities] = {"amqp": AMQP, "amqps": AMQP, "sqlite": SQLITE, "memory": MEMORY}
"""By ``protocol``, what its transport can do."""

_SERVER = ("host", "port", "username", "password", "vHost")


@frozen
class Need:
    """A place of the configuration that needs a transport to be able to do something."""

    path: Path_
    capability: Capability
    what: str

    def check(self, document: Document, protocol: str, can: Capabilities) -> None:
        """Note it where the transport cannot."""
        if can.lacking(self.capability):
            words = f"{self.what}, but protocol {protocol!r} cannot {_WORDS[self.capability]}"
            document.report(self.path, words, Code.TRANSPORT)


def check_transports(document: Document, transports: Mapping[str, Capabilities] = TRANSPORTS) -> None:
    """Note what the brokers' transports cannot do, and keys that say nothing to them."""
    brokers = document.names.get("brokers")
    if not isinstance(brokers, dict):
        return
    main = brokers.get("main", {})
    for path, broker in _brokers(brokers):
        _keys(document, path, broker, transports)
    can = transports.get(_protocol(main))
    if can is not None:
        for need in _needs(document):
            need.check(document, _protocol(main), can)


def _brokers(brokers: dict[str, Any]) -> Iterator[tuple[Path_, dict[str, Any]]]:
    if isinstance(brokers.get("main"), dict):
        yield ("brokers", "main"), brokers["main"]
    recipients = brokers.get("recipients")
    for index, recipient in enumerate(recipients if isinstance(recipients, list) else ()):
        if isinstance(recipient, dict):
            yield ("brokers", "recipients", index), recipient


def _protocol(broker: Any) -> str:
    return str(broker.get("protocol", "amqp")) if isinstance(broker, dict) else ""


def _keys(
    document: Document, path: Path_, broker: dict[str, Any], transports: Mapping[str, Capabilities]
) -> None:
    protocol = _protocol(broker)
    can = transports.get(protocol)
    if can is None:
        return
    served = protocol in ("amqp", "amqps")
    if protocol == "sqlite" and "path" not in broker:
        document.report(path, "'path' is missing: the file of the broker", Code.MISSING)
    if "path" in broker and protocol != "sqlite":
        _pointless(document, (*path, "path"), f"{protocol!r} is no file")
    if "hosts" in broker:
        Need((*path, "hosts"), "several_hosts", "'hosts' asks for a cluster").check(document, protocol, can)
    for key in _SERVER:
        if key in broker and not served:
            _pointless(document, (*path, key), f"{protocol!r} has no server")
    if "tls" in broker and protocol != "amqps":
        document.report((*path, "tls"), "'tls' needs 'protocol: amqps'", Code.BAD_VALUE)
    if path[1] == "recipients":
        what = "what is forwarded is read elsewhere"
        Need((*path, "protocol"), "several_processes", what).check(document, protocol, can)


def _pointless(document: Document, path: Path_, why: str) -> None:
    document.report(path, f"{path[-1]!r} says nothing: {why}", Code.UNUSED, key=True, severity="warning")


def _needs(document: Document) -> Iterator[Need]:
    for path, queue in entries(document, "queues"):
        if queue.get("priorityEnabled") is True:
            yield Need((*path, "priorityEnabled"), "priorities", "it asks for priorities")
    for path, consumer in entries(document, "consumers"):
        workers = consumer.get("workers", 1)
        if isinstance(workers, int) and workers > 1:
            yield Need((*path, "workers"), "several_processes", f"it asks for {workers} processes")
    yield Need(("brokers", "main", "protocol"), "delays", "retries wait at the broker")
