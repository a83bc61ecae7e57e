"""Who is measured: how each consumer is started, and what its messages look like."""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import evolve, field, frozen

from benchmarks import messages
from benchmarks.broker import EXCHANGE, Load, QueueKind

ROOT = Path(__file__).parent.parent
PLUGIN = Path(__file__).parent / "plugin"
DIST_INFO = "pacer_bench-0.dist-info"


@frozen
class Start:
    """What a consumer's command depends on."""

    port: int
    queue: str
    target: str
    """The virtual host that messages are forwarded to; a queue of the same name is there."""
    folder: Path


@frozen
class Contestant:
    """One consumer in one setting.

    ``expects`` is how many messages are measured, after a twentieth of that (at least 200) as warm-up.
    """

    name: str
    command: Callable[[Start, Contestant], list[str]]
    expects: int
    threads: int = 1
    prefetch: int = 50
    wait: float = 0.0
    processes: int = 1
    keys: tuple[str, ...] = ("HC-5042",)
    """The keys of the messages, in turn."""
    xml: bool = False
    queue: QueueKind = "quorum"
    pack: Callable[[bytes, str], bytes] | None = None
    """Puts a JSON body into the peer's own kind of message."""
    properties: Mapping[str, object] = field(factory=dict)
    environment: Mapping[str, str] = field(factory=dict)
    forwards: bool = False
    partitions: int = 0
    """Of the key space, where it has any: two supervisors share them, or an intake fills them alone."""
    intake: bool = False

    @property
    def warm_up(self) -> int:
        """How many messages come before the measured ones."""
        return max(200, self.expects // 20)

    def load(self, queue: str) -> Load:
        """Give all messages of one run."""
        bodies = [messages.as_xml(key) if self.xml else messages.as_json(key) for key in self.keys]
        if self.pack is not None:
            bodies = [self.pack(body, queue) for body in bodies]
        kind = "application/xml" if self.xml else "application/json"
        return Load(bodies, self.warm_up + self.expects, kind, dict(self.properties))

    def scaled(self, factor: float) -> Contestant:
        """Give the same with fewer messages."""
        return evolve(self, expects=max(400, int(self.expects * factor)))


def environment(start: Start, one: Contestant) -> dict[str, str]:
    """Give the environment of a consumer's process."""
    own = {
        "url": f"amqp://guest:guest@127.0.0.1:{start.port}/%2F",
        "queue": start.queue,
        "target": f"amqp://guest:guest@127.0.0.1:{start.port}/{start.target}",
        "folder": str(start.folder),
        "warm_up": str(one.warm_up),
        "messages": str(one.warm_up + one.expects),
        "wait": str(one.wait),
        "prefetch": str(one.prefetch),
        "threads": str(one.threads),
    }
    return {
        **os.environ,
        **{f"BENCH_{name.upper()}": value for name, value in own.items()},
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(PLUGIN), str(start.folder)]),
        **one.environment,
    }


# --- PACER -------------------------------------------------------------------------------------------


def install_plugin(folder: Path) -> None:
    """Make the benchmark's plugin known to whoever has ``folder`` on its path, as an installer would."""
    info = folder / DIST_INFO
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pacer-bench\nVersion: 0\n")
    (info / "entry_points.txt").write_text("[pacer]\nbench = pacer_bench.plugin\n")


def configuration(start: Start, one: Contestant) -> str:
    """Give the YAML of a PACER worker."""
    broker = f"host: 127.0.0.1, port: {start.port}, username: guest, password: guest"
    recipients = ""
    queue = f"{{name: {start.queue}, declare: passive}}"
    kind = "bench-keyed" if len(one.keys) > 1 else "bench"
    if one.forwards:
        kind = "forward"
        rule = f"{{fromExchange: {EXCHANGE}, withRoutingKey: {start.queue}}}"
        there = f"name: elsewhere, {broker}, vHost: {start.target}"
        recipients = f"\n  recipients:\n    - {{{there}, forwardingRules: [{rule}]}}"
    return f"""brokers:
  main: {{{broker}}}{recipients}
exchanges:
  - {{name: {EXCHANGE}, declare: passive}}
queues:
  - {queue}
consumers:
  - {{type: {kind}, queues: [{start.queue}], concurrency: {one.threads}, prefetch: {one.prefetch},
     workers: {one.processes}}}
{_partitions(start, one)}logging: {{logLevel: WARNING}}
"""


def _partitions(start: Start, one: Contestant) -> str:
    if not one.partitions:
        return ""
    space = f"{{name: bench, partitions: {one.partitions}, queue: {start.queue}.keys}}"
    return f"keySpaces: [{space}]\nhealth: {{enabled: false}}\n"


def _pacer(start: Start, one: Contestant) -> list[str]:
    install_plugin(start.folder)
    file = start.folder / "pacer.yaml"
    file.write_text(configuration(start, one))
    return [str(Path(sys.executable).with_name("pacer")), "run", "--config", str(file)]


def _partitioned(start: Start, one: Contestant) -> list[str]:
    """Have two supervisors share a key space, or an intake run alone."""
    *_, file = _pacer(start, one)
    module = "benchmarks.intake" if one.intake else "benchmarks.supervisors"
    return [sys.executable, "-m", module, file, start.queue]


# --- the peers ---------------------------------------------------------------------------------------


def _module(name: str) -> Callable[[Start, Contestant], list[str]]:
    return lambda start, one: [sys.executable, "-m", f"benchmarks.contestants.{name}"]


def _dramatiq(_: Start, one: Contestant) -> list[str]:
    module = "benchmarks.contestants.dramatiq_app"
    return [sys.executable, "-m", "dramatiq", module, "--processes=1", f"--threads={one.threads}"]


def _as_dramatiq(body: bytes, queue: str) -> bytes:
    message = {
        "queue_name": queue,
        "actor_name": "handle",
        "args": [json.loads(body)],
        "kwargs": {},
        "options": {},
        "message_id": str(uuid.uuid4()),
        "message_timestamp": 1773476813589,
    }
    return json.dumps(message, separators=(",", ":")).encode()


def _celery(pool: str) -> Callable[[Start, Contestant], list[str]]:
    def command(_: Start, one: Contestant) -> list[str]:
        own = [f"--pool={pool}", f"--concurrency={one.threads}"]
        own += [f"--prefetch-multiplier={one.prefetch // one.threads}"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=ERROR"]
        app = "benchmarks.contestants.celery_app"
        return [sys.executable, "-m", "celery", "-A", app, "worker", *own, *quiet]

    return command


def _as_celery(body: bytes, _: str) -> bytes:
    embed = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    return json.dumps([[json.loads(body)], {}, embed]).encode()


_ID = "7f2c1b52-3f1e-4c0e-9a55-0a4e4b1f6a01"
_CELERY = {
    "content_encoding": "utf-8",
    "correlation_id": _ID,
    "application_headers": {"lang": "py", "task": "handle", "id": _ID, "root_id": _ID, "retries": 0},
}

# --- who takes part ----------------------------------------------------------------------------------

_EVEN = tuple(f"HC-{number}" for number in range(100))
# Every second message is the hot key's.
_HOT = tuple(key for number in range(1, 100) for key in ("HC-0", f"HC-{number}"))

_PACER = Contestant("pacer", _pacer, 20_000)
_KOMBU = Contestant("kombu", _module("kombu_bare"), 20_000)
_WAITING = evolve(_PACER, wait=0.005, threads=32, prefetch=64, expects=12_000)
_MANY = tuple(f"HC-{number}" for number in range(400))
_KEYED = evolve(_PACER, wait=0.02, threads=8, keys=_MANY, prefetch=256)
_DRAMATIQ = Contestant(
    "dramatiq", _dramatiq, 6_000, threads=8, queue="dramatiq", pack=_as_dramatiq,
    environment={"dramatiq_queue_prefetch": "50"},
)  # fmt: skip
_CELERY_ONE = Contestant("celery", _celery("prefork"), 3_000, prefetch=4, pack=_as_celery, properties=_CELERY)

CONTESTANTS = {
    one.name: one
    for one in (
        _PACER,
        evolve(_PACER, name="pacer-8-threads", threads=8, expects=12_000),
        evolve(_PACER, name="pacer-xml", xml=True, expects=12_000),
        _KOMBU,
        evolve(_KOMBU, name="kombu-xml", xml=True),
        Contestant("faststream", _module("faststream_app"), 8_000, threads=50),
        _DRAMATIQ,
        _CELERY_ONE,
        evolve(_WAITING, name="pacer-wait5ms"),
        Contestant(
            "faststream-wait5ms", _module("faststream_app"), 8_000, threads=32, prefetch=64, wait=0.005
        ),
        evolve(
            _DRAMATIQ, name="dramatiq-wait5ms", threads=32, prefetch=64, wait=0.005,
            environment={"dramatiq_queue_prefetch": "64"},
        ),
        evolve(
            _CELERY_ONE, name="celery-wait5ms", command=_celery("threads"), threads=32, prefetch=64,
            wait=0.005, expects=4_000,
        ),
        evolve(_WAITING, name="pacer-keys-even", keys=_EVEN, prefetch=256),
        # So many that the beginning, in which all the others are done before the hot one, hardly counts.
        evolve(_WAITING, name="pacer-keys-hot", keys=_HOT, prefetch=256, expects=4_000),
        evolve(_WAITING, name="pacer-processes1", threads=8, prefetch=16, expects=4_000),
        evolve(_WAITING, name="pacer-processes2", threads=8, prefetch=16, processes=2, expects=8_000),
        evolve(_WAITING, name="pacer-processes4", threads=8, prefetch=16, processes=4, expects=16_000),
        evolve(_KEYED, name="pacer-partitions1", expects=4_000),
        evolve(_KEYED, name="pacer-partitions4", command=_partitioned, partitions=4, expects=24_000),
        evolve(
            _PACER, name="pacer-intake", command=_partitioned, partitions=4, intake=True, keys=_MANY,
            prefetch=256,
        ),
        evolve(_PACER, name="pacer-forward", forwards=True, threads=8, prefetch=200),
        evolve(_KOMBU, name="naive-forward", command=_module("forward_naive"), forwards=True, prefetch=200),
    )
}  # fmt: skip
