"""Signatures of copies: what PACER said about a message is believed where PACER has said it, and only there.

Whoever may write to a queue can write any header. So a copy carries an HMAC-SHA256 (RFC 2104) over its state,
its body, its message id and the queue that it goes back to. Without one that fits, a message is a new one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import socket
import stat
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from tempfile import mkstemp
from typing import Any, Literal

import attrs
from attrs import define, field, frozen

from pacer_core.config.model import Amqp, Broker, Config
from pacer_core.model.errors import BrokerError
from pacer_core.transport.headers import PREFIX, own_headers
from pacer_core.transport.outgoing import Outgoing

log = logging.getLogger("pacer.signing")

SIGNATURE = "signature"

Proof = Literal["signed", "unsigned", "forged"]
"""What the signature of a copy shows; ``forged`` is one that no key of ours has made."""

_UNSIGNED = frozenset({SIGNATURE, "original"})  # what the publisher set, and may set again
_BYTES = 32
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})
_SCRYPT = {"n": 1 << 14, "r": 8, "p": 1}  # RFC 7914: 16 MiB and some 40 ms, once in each process


@frozen
class Source:
    """Where the keys of a configuration come from.

    ``kind`` is ``configured``, ``derived`` of the broker's account, a ``file``, or the ``process`` itself.
    """

    kind: Literal["configured", "derived", "file", "process"]
    about: str
    """In words, without secrets."""
    keys: Callable[[], tuple[bytes, ...]] = field(repr=False)
    local: bool = False
    """Whether other hosts may read the same queues, and cannot have these keys."""
    file: Path | None = None
    """The file that holds the key, or will."""


@define(eq=False)
class Signer:
    """Signs copies with its first key, and knows the signatures of all.

    The keys are looked up when they are first needed: most messages need none.
    """

    source: Source
    accept_unsigned: bool = False
    _keys: tuple[bytes, ...] = field(default=(), repr=False)

    def ready(self) -> None:
        """Look the keys up.

        Raises
        ------
        BrokerError
            Where they cannot be had.
        """
        if not self._keys:
            self._keys = self.source.keys()

    @property
    def fingerprint(self) -> str:
        """Give what people compare between hosts: eight characters that tell nothing about the key."""
        self.ready()
        return hashlib.sha256(b"pacer fingerprint\0" + self._keys[0]).hexdigest()[:8]

    @property
    def told(self) -> str:
        """Say what copies are signed with; no key is made for that.

        Raises
        ------
        BrokerError
            Where the key cannot be had.
        """
        about = f"copies are signed with {self.source.about}"
        file = self.source.file
        return (
            about if file is not None and not file.exists() else f"{about} (fingerprint {self.fingerprint})"
        )

    def signed(self, copy: Outgoing, queue: str) -> Outgoing:
        """Give a copy with the signature that lets it be believed when it comes from ``queue``."""
        self.ready()
        text = _text(queue, copy.properties, own_headers(copy.headers))
        signature = b64encode(_signature(self._keys[0], text, copy.body)).decode()
        return attrs.evolve(copy, headers={**copy.headers, PREFIX + SIGNATURE: signature})

    def proof(self, queue: str, body: bytes, properties: Mapping[str, Any], own: Mapping[str, Any]) -> Proof:
        """Say what the signature among PACER's own headers shows; their names are without the prefix."""
        given = own.get(SIGNATURE)
        if given is None:
            return "unsigned"
        self.ready()
        try:
            text = _text(queue, properties, own)
            known = str(given).encode()
        except (ValueError, TypeError, RecursionError):  # what PACER never writes
            return "forged"
        # All keys are tried, in the same time for each signature.
        fits = [hmac.compare_digest(b64encode(_signature(key, text, body)), known) for key in self._keys]
        return "signed" if any(fits) else "forged"

    def believes(
        self, queue: str, body: bytes, properties: Mapping[str, Any], own: Mapping[str, Any]
    ) -> bool:
        """Say whether PACER has written these headers, as far as that can be known."""
        proof = self.proof(queue, body, properties, own)
        return proof == "signed" or (proof == "unsigned" and self.accept_unsigned)


@define(eq=False)
class Trust:
    """Decides for one process whose state is believed; called by the connection's thread alone.

    ``dropped`` is told the queue of each message whose state was dropped.
    """

    signer: Signer
    dropped: Callable[[str], None]
    _told: set[tuple[str, Proof]] = field(factory=set)

    def __call__(
        self, queue: str, body: bytes, properties: Mapping[str, Any], own: Mapping[str, Any]
    ) -> bool:
        """Say whether what a copy tells about itself is to be believed; count it, and tell, where not."""
        proof = self.signer.proof(queue, body, properties, own)
        if proof == "signed" or (proof == "unsigned" and self.signer.accept_unsigned):
            return True
        self.dropped(queue)
        if (queue, proof) not in self._told:
            self._told.add((queue, proof))
            log.warning("%s: %s", queue, _DROPPED[proof].format(about=self.signer.source.about))
        return False


_AS_NEW = "it is handled as new, and so will be others like it, which the metrics count"
_DROPPED: Mapping[Proof, str] = {
    "unsigned": "a message claims to be a copy of PACER's, and is not signed: "
    f"{_AS_NEW}. Where a release before signatures has left copies, processes.acceptUnsigned: true believes "
    "them; otherwise a publisher writes PACER's own headers",
    "forged": "a message claims to be a copy of PACER's, and its signature does not fit: "
    f"{_AS_NEW}. Another host signs with another key (here: {{about}}; `pacer doctor` shows its "
    "fingerprint), or a publisher writes PACER's own headers",
}


@frozen
class Weakness:
    """What may go wrong with signatures, and what to do about it."""

    detail: str
    advice: str


def weaknesses(signer: Signer) -> list[Weakness]:
    """Say what is weak about the keys of a configuration, and about what it believes."""
    found: list[Weakness] = []
    if signer.source.local:
        found.append(
            Weakness(
                f"copies are signed with {signer.source.about}, which other hosts that read the same queues "
                f"do not have: they would begin each other's retries anew",
                "give the broker's account a password, or all hosts the same processes.signingKeys",
            )
        )
    if signer.accept_unsigned:
        found.append(
            Weakness(
                "processes.acceptUnsigned is true: whoever may write to a queue can tell PACER which tasks "
                "of a message are done, and with what results",
                "remove it when no copy of an older release waits any more (`pacer waiting list`)",
            )
        )
    return found


def signer_for(config: Config) -> Signer:
    """Give what signs and knows the copies of a configuration."""
    return Signer(_source(config), config.processes.accept_unsigned)


def _source(config: Config) -> Source:
    broker = config.broker
    given = config.processes.signing_keys
    if given:
        keys = tuple(hashlib.sha256(b"pacer configured\0" + one.reveal().encode()).digest() for one in given)
        more = f", and {len(keys) - 1} more that are believed" if len(keys) > 1 else ""
        return Source("configured", f"the first of processes.signingKeys{more}", lambda: keys)
    if broker.capabilities.lacking("several_processes"):
        return Source("process", "a key of this process", lambda: (_of_this_process(),))
    if account := broker.transport.account(broker.options):
        return Source(
            "derived",
            f"a key derived from the password of the broker's account {account[0]!r}",
            lambda: (_derived(*account),),
        )
    beside = broker.transport.key_file(broker.options)
    file = beside or config.state_folder / "signing.key"
    local = beside is None and _elsewhere(broker)
    return Source("file", f"the key in {file}", lambda: (_kept(file),), local=local, file=file)


def _elsewhere(broker: Broker) -> bool:
    """Say whether PACERs on other hosts may read the same queues."""
    if not isinstance(broker.options, Amqp):
        return broker.capabilities.several_hosts
    addresses = broker.options.addresses(broker.protocol)
    return any(host not in _HERE and host != socket.gethostname() for host, _ in addresses)


@lru_cache(maxsize=1)
def _of_this_process() -> bytes:
    return os.urandom(_BYTES)


@lru_cache(maxsize=8)
def _derived(account: str, password: str, v_host: str) -> bytes:
    """Derive a key; slowly, since who reads a queue could try passwords on the signatures that lie there."""
    salt = "\0".join(("pacer copies", account, v_host.lstrip("/"))).encode()
    return hashlib.scrypt(password.encode(), salt=salt, dklen=_BYTES, **_SCRYPT)


def _kept(file: Path) -> bytes:
    """Give the key in a file, which is made where there is none; of several processes one makes it."""
    try:
        if not file.exists():
            _make(file)
        with file.open("rb") as opened:
            mode, key = os.fstat(opened.fileno()).st_mode, opened.read(1024)
    except OSError as error:
        raise BrokerError(
            f"{error.filename or file}: copies cannot be signed: {error.strerror}; let the account that "
            f"PACER runs as read and write there, or give processes.signingKeys"
        ) from None
    if len(key) < _BYTES:
        raise BrokerError(f"{file} is no key of PACER's any more: remove it, and a new one is made")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        log.warning("%s can be read by others, who can then forge copies: chmod 600 it", file)
    return key


def _make(file: Path) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = mkstemp(prefix=f".{file.name}.", dir=file.parent)  # readable for its owner alone
    new = Path(name)
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(os.urandom(_BYTES))
            opened.flush()
            os.fsync(opened.fileno())
        os.link(new, file)  # fails where another process was first
        log.info("copies are signed with a new key in %s; keep it with the queues", file)
    except FileExistsError:
        return
    finally:
        new.unlink(missing_ok=True)


def _text(queue: str, properties: Mapping[str, Any], own: Mapping[str, Any]) -> bytes:
    """Give what is signed beside the body: the same on both sides of the wire, whatever the order there."""
    state = {name: value for name, value in own.items() if name not in _UNSIGNED}
    told = ["pacer copy 1", queue, properties.get("message_id"), state]
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()  # ASCII: any text has its escapes


def _signature(key: bytes, text: bytes, body: bytes) -> bytes:
    mac = hmac.new(key, b"%d\0" % len(text), hashlib.sha256)
    mac.update(text)
    mac.update(body)
    return mac.digest()
