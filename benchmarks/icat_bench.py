"""The measurements of ``benchmarks/icat.py``: ways to store a dataset, and what they cost."""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Collection
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import icat
from rich.console import Console

from benchmarks.icat_report import NAMES, PAGE, RESULTS, Report, show, write
from benchmarks.icat_server import Account, Server, facility, message, sandbox
from pacer_core import ConsumerType, Delivery, Outcome
from pacer_core.testing import deliver
from pacer_icat import ICAT, IcatClient
from pacer_icat.client import Shared
from pacer_icat.datasets.task import DATASETS
from pacer_icat.http import Http
from pacer_icat.links.task import DATASET_LINKS
from pacer_icat.totals.task import DATASET_STATISTICS

FILES, PARAMETERS = 1000, 50
SLOW_CREATE, SLOW_SEARCH, SLOW_CALL = 0.5, 0.001, 0.05


class Recorder:
    """Carries envelopes, and keeps the last one that creates a dataset."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self.envelope = b""

    def post(self, body: bytes) -> tuple[int, bytes]:
        """Carry one."""
        if b"i:create>" in body and b'xsi:type="i:dataset"' in body:
            self.envelope = body
        return self._http.post(body)

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()


class Bench:
    """The measurements, on one facility."""

    def __init__(self, server: Server, *, quick: bool) -> None:
        self.server, self.quick = server, quick
        options = server.options()
        self.recorder = Recorder(Http(options.endpoint, timeout=options.timeout))
        self.shared = Shared(options, self.recorder)
        self._count = 0

    def name(self) -> str:
        """Give a name that no dataset has."""
        self._count += 1
        return f"run-{self._count:05}"

    def ours(self, files: int = FILES, parameters: int = PARAMETERS) -> tuple[float, float]:
        """Store a dataset as a consumer does, from bytes on; give seconds, and seconds of CPU."""
        body = message(self.server, self.name(), files=files, parameters=parameters)
        return timed(lambda: send(body, self.shared))

    def one_by_one(self) -> float:
        """Store a dataset with a call for each object, through python-icat."""
        client = self._python_icat
        files, given, dataset = self._with_python_icat(client)

        def work() -> None:
            dataset.create()
            owner = client.new("Dataset", id=dataset.id)
            for kind, field, value in given:
                client.new("DatasetParameter", dataset=owner, type=kind, **{field: value}).create()
            for name, location, size in files:
                client.new("Datafile", dataset=owner, name=name, location=location, fileSize=size).create()

        return timed(work)[0]

    def create_many(self) -> float:
        """Store a dataset with three calls, through python-icat."""
        client = self._python_icat
        files, given, dataset = self._with_python_icat(client)

        def work() -> None:
            dataset.create()
            owner = client.new("Dataset", id=dataset.id)
            client.createMany(
                [
                    client.new("DatasetParameter", dataset=owner, type=kind, **{field: value})
                    for kind, field, value in given
                ]
            )
            client.createMany(
                [
                    client.new("Datafile", dataset=owner, name=name, location=location, fileSize=size)
                    for name, location, size in files
                ]
            )

        return timed(work)[0]

    @cached_property
    def _python_icat(self) -> Any:
        """A python-icat client as it comes."""
        account = self.server.account
        client = icat.Client(f"{self.server.options().endpoint}?wsdl", caFile=self.server.ca_file)
        client.login(account.plugin, {"username": account.user, "password": account.password})
        return client

    def _with_python_icat(self, client: Any) -> tuple[list[Any], list[Any], Any]:
        """Look up what both ways need, outside of the time that is taken."""
        name = self.name()
        folder = f"/data/{self.server.facility}/{name}"
        of = f"o.facility.name = '{self.server.facility}'"
        types = client.search(f"SELECT o FROM ParameterType o WHERE {of} AND o.name LIKE 'bench_%'")
        (investigation,) = client.search(
            f"SELECT o FROM Investigation o WHERE o.name = '{self.server.facility}-0'"
        )
        (kind,) = client.search(f"SELECT o FROM DatasetType o WHERE {of} AND o.name = 'acquisition'")
        dataset = client.new(
            "Dataset",
            name=name,
            location=folder,
            complete=True,
            investigation=client.new("Investigation", id=investigation.id),
            type=client.new("DatasetType", id=kind.id),
        )
        given = [
            (one, *(("numericValue", 1.0) if one.valueType == "NUMERIC" else ("stringValue", "value")))
            for one in types[:PARAMETERS]
        ]
        files = [
            (f"image_{one:06}.cbf", f"{folder}/image_{one:06}.cbf", 6_000_000 + one) for one in range(FILES)
        ]
        return files, given, dataset

    def envelope(self) -> float:
        """Post the ready-made envelope of a dataset of the same size."""
        old, new = f"run-{self._count:05}".encode(), self.name().encode()
        body = self.recorder.envelope.replace(old, new)

        return timed(lambda: self._post(body))[0]

    def wire(self) -> float:
        """Compare our way with the envelope alone, at a real server's pace: its own, where it is one."""
        self.server.misbehave(
            slow=[
                {"seconds": SLOW_CREATE, "operation": "create", "entity": "Dataset"},
                {"seconds": SLOW_SEARCH, "operation": "search"},
            ]
        )
        ours, _ = self.ours()
        return ours / self.envelope()

    def parallel(self) -> float:
        """Compare eight threads on eight investigations with one thread, at 50 ms a call.

        A real server is not told how slow it is to be: there they are compared with eight connections that
        post ready-made envelopes, since how much it does at once is the server's own affair.
        """
        each = 6 if self.quick else 20
        ready: list[tuple[str, bytes]] = []
        for number in range(8):
            name = self.name()
            send(message(self.server, name, files=4, parameters=10, number=number), self.shared)
            ready.append((name, self.recorder.envelope))
        if not self.server.is_sandbox:
            return self._beside_envelopes(ready, each)
        self.server.misbehave(slow=[{"seconds": SLOW_CALL}])

        def several(number: int) -> list[bytes]:
            return [
                message(self.server, f"{self.name()}-{number}", files=4, parameters=10, number=number)
                for _ in range(each)
            ]

        alone = timed(lambda: self._send_all(several(0)))[0] / each
        batches = [several(number) for number in range(8)]
        together = self._at_once(self._send_all, batches)
        return alone / (together / (8 * each))

    def _beside_envelopes(self, ready: list[tuple[str, bytes]], each: int) -> float:
        """Compare eight threads that store datasets with eight that post the envelopes of such datasets."""
        batches, envelopes = [], []
        for number, (name, envelope) in enumerate(ready):
            names = [self.name() for _ in range(2 * each)]
            batches.append(
                [message(self.server, one, files=4, parameters=10, number=number) for one in names[:each]]
            )
            envelopes.append([envelope.replace(name.encode(), one.encode()) for one in names[each:]])
        ours = self._at_once(self._send_all, batches)
        return self._at_once(self._post_all, envelopes) / ours

    def _at_once(self, work: Callable[[list[bytes]], None], batches: list[list[bytes]]) -> float:
        """Do work in a thread for each batch; give the seconds until all have done it."""
        with ThreadPoolExecutor(len(batches)) as pool:
            return timed(lambda: list(pool.map(work, batches)))[0]

    def _post_all(self, envelopes: list[bytes]) -> None:
        for body in envelopes:
            self._post(body)

    def _post(self, body: bytes) -> None:
        status, answer = self.recorder.post(body)
        if status != 200:
            raise SystemExit(f"the envelope is refused: {answer[:500].decode(errors='replace')}")

    def small(self) -> tuple[float, float]:
        """Store many small datasets one after another; give calls for each, and datasets a second."""
        number = 200 if self.quick else 1000
        self.ours(files=4, parameters=10)
        before = self.shared.wire.calls
        bodies = [message(self.server, self.name(), files=4, parameters=10) for _ in range(number)]
        seconds, _ = timed(lambda: self._send_all(bodies))
        return (self.shared.wire.calls - before) / number, number / seconds

    def follow_ups(self) -> tuple[float, float]:
        """Link and count many datasets in a burst; give calls for each dataset, of links and statistics."""
        number = 40 if self.quick else 1000
        deliveries = []
        for _ in range(number // 2):
            raw, made = self.name(), self.name()
            source = f"/data/{self.server.facility}/1/{raw}"
            for name, made_from in ((raw, ""), (made, source)):
                body = message(self.server, name, files=4, parameters=2, number=1, made_from=made_from)
                deliveries.append(send(body, self.shared))
        calls = []
        for consumer in (DATASET_LINKS, DATASET_STATISTICS):
            before = self.shared.wire.calls
            for delivery in deliveries:
                for follow_up in delivery.follow_ups:
                    if follow_up.consumer_type == consumer.name:
                        send(follow_up.body, self.shared, consumer)
            calls.append((self.shared.wire.calls - before) / number)
        return calls[0], calls[1]

    def _send_all(self, bodies: list[bytes]) -> None:
        for body in bodies:
            send(body, self.shared)

    def close(self) -> None:
        """Log out."""
        if "_python_icat" in self.__dict__:
            self._python_icat.logout()
        self.shared.close()


def memory(server: Server, *, files: int) -> float:
    """Give the MiB that a dataset of many files costs at its peak, over a process at rest."""
    shared = Shared(server.options())
    send(message(server, "memory-small", files=4, parameters=10), shared)
    Path("/proc/self/clear_refs").write_text("5")
    at_rest = _resident("VmRSS")
    send(message(server, "memory-large", files=files, parameters=PARAMETERS), shared)
    shared.close()
    return _resident("VmHWM") - at_rest


def _resident(what: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


def send(body: bytes, shared: Shared, consumer: ConsumerType = DATASETS) -> Delivery:
    """Handle one message."""
    delivery = deliver(consumer, body, integrations={ICAT: IcatClient(shared)})
    if delivery.outcome is not Outcome.ACKED:
        raise SystemExit(f"a message is not acked: {delivery.error}")
    return delivery


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Give the seconds that some work takes, and those of CPU in this process."""
    start, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - cpu


def measure(server: Server, wanted: Collection[str], *, quick: bool, console: Console) -> Report:
    """Measure some rows on a server, or all."""
    repeats = 1 if quick else 3
    found: dict[str, list[float]] = {}
    seconds: dict[str, list[float]] = {}

    def note(where: dict[str, list[float]], **values: float) -> None:
        for name, value in values.items():
            where.setdefault(name, []).append(value)

    with facility(server) as made:
        bench = Bench(made, quick=quick)
        bench.ours()  # warm caches, for all
        for number in range(repeats):
            console.print(f"pacer-icat, {number + 1} of {repeats}")
            ours, cpu = bench.ours()
            envelope = bench.envelope()
            note(seconds, **{"pacer-icat": ours, "the envelope alone": envelope})
            note(found, **{"cpu-per-datafile": cpu / FILES * 1e6})
            if server.is_sandbox:
                note(found, **{"sandbox-per-object": envelope / (FILES + PARAMETERS + 2) * 1e3})
            for row, name, way in (
                ("ingest1000/one-by-one", "python-icat, one by one", bench.one_by_one),
                ("ingest1000/createMany", "python-icat createMany", bench.create_many),
            ):
                if row in wanted:
                    theirs = way()
                    note(seconds, **{name: theirs})
                    note(found, **{row: theirs / ours})
            for row, ratio in (("ingest1000/wire", bench.wire), ("parallel8", bench.parallel)):
                if row in wanted:
                    note(found, **{row: ratio()})
                    made.misbehave()
        if "calls-per-small-dataset" in wanted:
            calls, rate = bench.small()
            note(found, **{"calls-per-small-dataset": calls})
            note(seconds, **{"a small dataset": 1 / rate})
        if {"calls-per-links", "calls-per-statistics"} & set(wanted):
            links, statistics_ = bench.follow_ups()
            note(found, **{"calls-per-links": links, "calls-per-statistics": statistics_})
        if "memory30000" in wanted:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                note(found, memory30000=pool.submit(memory, made, files=30_000).result())
        bench.close()
    values = {name: statistics.median(several) for name, several in found.items() if name in wanted}
    return Report(
        values,
        {name: statistics.median(several) for name, several in seconds.items()},
        repeats,
        server.is_sandbox,
        icat.__version__,
    )


def run(wanted: Collection[str], *, quick: bool, console: Console) -> Report:
    """Measure some rows on a sandbox."""
    with sandbox() as server:
        return measure(server, wanted, quick=quick, console=console)


def main(arguments: list[str], description: str) -> int:
    """Measure and print; after a whole run on a sandbox write the results."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of these: {', '.join(NAMES)}")
    parser.add_argument("--url", help="the server to measure, instead of a sandbox")
    parser.add_argument("--auth", help="PLUGIN/USER:PASSWORD; the password may be in ICAT_PASSWORD instead")
    parser.add_argument("--ca-file", help="certificates (PEM) to trust instead of the system's")
    parser.add_argument("--quick", action="store_true", help="one repeat, fewer messages")
    given = parser.parse_args(arguments)
    if unknown := set(given.rows) - set(NAMES):
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are: {', '.join(NAMES)}")
    if bool(given.url) != bool(given.auth):
        parser.error("--url and --auth belong together")
    console = Console(highlight=False, width=None if os.isatty(1) else 140)
    wanted = given.rows or NAMES
    if given.url is None:
        found = run(wanted, quick=given.quick, console=console)
    else:
        try:
            account = Account.parse(given.auth, os.environ.get("ICAT_PASSWORD"))
        except ValueError as error:
            parser.error(f"--auth: {error}")
        server = Server(given.url, account, is_sandbox=False, ca_file=given.ca_file)
        found = measure(server, wanted, quick=given.quick, console=console)
    show(found, console)
    if given.url is None and not given.quick and not given.rows:
        write(found)
        console.print(f"written: {PAGE} and {RESULTS}", soft_wrap=True)
    return 0
