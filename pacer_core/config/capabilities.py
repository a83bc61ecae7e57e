"""What a configuration asks of its broker, against what the broker's transport can do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from attrs import frozen

from pacer_core.config.brokers import Entry, keys_of
from pacer_core.config.brokers import entries as brokers_of
from pacer_core.config.document import Document, Path_
from pacer_core.config.model import AMQP
from pacer_core.config.problems import Code
from pacer_core.config.references import entries
from pacer_core.model.consumers import ConsumerType
from pacer_core.model.transports import Capabilities, TransportType

Capability = Literal["several_processes", "several_hosts", "delays", "priorities", "order", "partitions"]
_WORDS: Mapping[Capability, str] = {
    "several_processes": "serve more than one process",
    "several_hosts": "serve more than one host",
    "delays": "hold a message back for a time",
    "priorities": "let one message overtake another",
    "order": "keep the order of the messages of this queue",
    "partitions": "give a queue to one process at a time",
}


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


def check_transports(
    document: Document, transports: Mapping[str, TransportType], consumers: Mapping[str, ConsumerType]
) -> None:
    """Note what the brokers' transports cannot do, and keys that say nothing to them."""
    for entry in brokers_of(document):
        transport = transports.get(entry.protocol)
        if transport is None:
            continue
        _keys(document, entry, transport, transports)
        if entry.path[1] == "main":
            for need in (*_needs(document), *_orders(document, entry, transport, consumers)):
                need.check(document, entry.protocol, transport.capabilities)
        else:
            Need((*entry.path, "protocol"), "several_processes", "what is forwarded is read elsewhere").check(
                document, entry.protocol, transport.capabilities
            )


def _keys(
    document: Document, entry: Entry, transport: TransportType, transports: Mapping[str, TransportType]
) -> None:
    """Note keys that another transport has, and this one has not."""
    of_amqp = transport is AMQP or "tls" not in keys_of(transport)
    if "tls" in entry.data and of_amqp and entry.protocol != "amqps":
        # Nobody shall believe that a connection is encrypted.
        document.report((*entry.path, "tls"), "'tls' needs 'protocol: amqps'", Code.BAD_VALUE)
    for key in entry.others(*transports.values()):
        if key in (*keys_of(transport), *entry.own, "tls"):
            continue
        if key == "hosts" and transport.capabilities.lacking("several_hosts"):
            cluster = Need((*entry.path, key), "several_hosts", "'hosts' asks for a cluster")
            cluster.check(document, entry.protocol, transport.capabilities)
            continue
        *others, last = sorted(name for name, one in transports.items() if key in keys_of(one))
        owners = f"{', '.join(others)} and {last}" if others else last
        _pointless(document, (*entry.path, key), f"it is a key of {owners}, not of {entry.protocol}")


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
    for path, _ in entries(document, "keySpaces"):
        yield Need((*path, "partitions"), "partitions", "each partition has one active process")
    for path, _ in entries(document, "services"):
        yield Need(path, "several_processes", "a service is a process of its own")
    yield Need(("brokers", "main", "protocol"), "delays", "retries wait at the broker")


def _orders(
    document: Document, entry: Entry, transport: TransportType, consumers: Mapping[str, ConsumerType]
) -> Iterator[Need]:
    """Give the queues whose order matters to who reads them, and which keep none by themselves."""
    for path, consumer in entries(document, "consumers"):
        known = consumers.get(str(consumer.get("type")))
        queues = consumer.get("queues")
        if known is None or known.key is None or not known.key.ordered or consumer.get("enabled") is False:
            continue
        for index, queue in enumerate(queues if isinstance(queues, list) else ()):
            if not transport.keeps_order(entry.data, str(queue)):
                what = f"consumer type {known.name!r} needs its messages in order"
                yield Need((*path, "queues", index), "order", what)
