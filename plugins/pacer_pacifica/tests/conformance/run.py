#!/usr/bin/env python3
"""Run Pacifica's own cases against Pacifica's own services, which exist for Python 3.8 alone.

pip installs the services from PyPI (three minutes, once); they run on free ports, the metadata service on a
PostgreSQL of this run.
What the stand-ins of `pacer_pacifica.testing` claim is asked of the real ones as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from pacer_pacifica.jobs import FAILED, MOVE, OK
from pacer_pacifica.testing import PacificaServices
from plugins.pacer_pacifica.tests.conformance.python38 import MISSING, installed, interpreter
from plugins.pacer_pacifica.tests.work.site import Site
from plugins.pacer_pacifica.tests.work.support import CONTENTS, bundle, rows
from plugins.pacer_pacifica.tests.work.test_jobs import CASES, DONE, moves
from tests.services.base import ServiceMissingError, free_port
from tests.services.postgresql import PostgreSQL

PACKAGES = (
    "pacifica-uniqueid==0.5.1", "pacifica-policy==0.8.3", "pacifica-metadata==0.13.0",
    "pacifica-archiveinterface==0.4.2", "peewee==3.13.3", "pytz",
)  # fmt: skip
SETTINGS = """[global]
log.screen: True
[/]
request.dispatch: cherrypy.dispatch.MethodDispatcher()
tools.response_headers.on: True
tools.response_headers.headers: [('Content-Type', 'application/json')]
"""
PATIENCE = 120.0


def main() -> int:
    """Run everything; give 0 where it went well, or Python 3.8 or PostgreSQL is missing."""
    python = interpreter()
    if python is None:
        print(f"skipped: {MISSING}")
        return 1 if os.environ.get("PACER_REQUIRE_SERVICES") == "1" else 0
    with tempfile.TemporaryDirectory(prefix="pacifica-") as name, ExitStack() as stack:
        folder = Path(name)
        try:
            addresses = stack.enter_context(services(installed(python, "pacifica-38", PACKAGES), folder))
        except ServiceMissingError as error:
            print(f"skipped: {error}")
            return 1 if os.environ.get("PACER_REQUIRE_SERVICES") == "1" else 0
        seed(addresses["metadata"])
        (folder / "site").mkdir()
        site = stack.enter_context(Site(folder / "site", addresses))
        wrong = [*cases(site, folder), *facts(addresses, folder)]
    for one in wrong:
        print(one)
    print(f"{len(CASES) + 5} cases, {len(wrong)} are wrong")
    return 1 if wrong else 0


@contextmanager
def services(programs: Path, folder: Path) -> Iterator[Mapping[str, str]]:
    """Start the four services; give their addresses."""
    with ExitStack() as stack:
        database = PostgreSQL()
        stack.callback(database.close)
        settings = folder / "cherrypy.ini"
        settings.write_text(SETTINGS)
        (folder / "archive").mkdir()
        ports = {name: free_port() for name in ("uniqueid", "metadata", "policy", "archive")}
        addresses = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        peewee = {
            "uniqueid": f"sqlite:///{folder}/uniqueid.db",
            "metadata": database.url().partition("?")[0],
        }
        more = {"metadata": {"NOTIFICATIONS_DISABLED": "True"}}
        for name, url in peewee.items():
            environment = {**os.environ, "PEEWEE_URL": url, **more.get(name, {})}
            done = subprocess.run(
                [programs / f"pacifica-{name}-cmd", "dbsync"], env=environment, capture_output=True, text=True
            )
            if done.returncode:
                raise RuntimeError(f"pacifica-{name}-cmd dbsync: {done.stderr[-2000:]}")
        policy = {"POLICY_CPCONFIG": str(settings), "METADATA_URL": addresses["metadata"]}
        policy["STATUS_URL"] = f"{addresses['metadata']}/groups"
        for name, program, arguments, environment in (
            ("uniqueid", "uniqueid", ["--cpconfig", settings], {"PEEWEE_URL": peewee["uniqueid"]}),
            (
                "metadata",
                "metadata",
                ["--cpconfig", settings],
                {"PEEWEE_URL": peewee["metadata"], **more["metadata"]},
            ),
            ("policy", "policy", [], policy),
            (
                "archive",
                "archiveinterface",
                ["--cherrypy-config", settings, "-t", "posix", "--prefix", folder / "archive"],
                {},
            ),
        ):
            log = stack.enter_context((folder / f"{name}.log").open("w"))
            process = subprocess.Popen(
                [
                    programs / f"pacifica-{program}",
                    "-a",
                    "127.0.0.1",
                    "-p",
                    str(ports[name]),
                    *map(str, arguments),
                ],
                env={**os.environ, **environment},
                stdout=log,
                stderr=log,
                cwd=folder,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            ready(addresses[name], process, folder / f"{name}.log")
        yield addresses


def ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a service answers, whatever it says."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            httpx.get(address)
            return
        except httpx.TransportError:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{log.stem} did not start:\n{log.read_text()[-2000:]}") from None
            time.sleep(0.2)


def seed(metadata: str) -> None:
    """Make a user, a project and an instrument known, and what makes an upload of theirs allowed."""
    with httpx.Client(base_url=metadata, timeout=60) as http:
        relations = {row["name"]: row["uuid"] for row in http.get("/relationships").json()}
        required = {"relationship": relations["upload_required"]}
        person = {"first_name": "A", "last_name": "B", "network_id": "ann", "email_address": "a@example.org"}
        instrument = {"name": "bl06", "display_name": "BL06", "name_short": "bl06", "active": True}
        for table, row in (
            ("users", {"_id": 10, **person}),
            ("projects", {"_id": "1234a", "title": "A proposal"}),
            ("instruments", {"_id": 54, **instrument}),
            ("project_user", {"user": 10, "project": "1234a", "relationship": relations["member_of"]}),
            ("project_user", {"user": 10, "project": "1234a", **required}),
            ("project_instrument", {"instrument": 54, "project": "1234a", **required}),
            ("instrument_user", {"user": 10, "instrument": 54, **required}),
        ):
            http.put(f"/{table}", json=[row]).raise_for_status()


def cases(site: Site, folder: Path) -> Iterator[str]:
    """Run every case of the tests, and those of moves; give what did not end as it should."""
    for name, (data, expected) in CASES.items():
        job = site.upload(data)
        site.work(job, twice=True)
        if site.end(job) != expected:
            yield f"{name}: {site.end(job)} and not {expected}: {site.jobs.get(job.id).exception}"
    source = folder / "sources"
    source.mkdir()
    site.archive_over_http(move_from=(str(source),))
    for missing in (False, True):
        document = moves(source)
        if missing:
            (source / "foo.txt").unlink()
        job = site.upload(document, kind=MOVE)
        site.work(job, twice=True)
        expected = (FAILED, "move files", 0.0) if missing else DONE
        if site.end(job) != expected:
            yield f"move, missing={missing}: {site.end(job)}: {site.jobs.get(job.id).exception}"
    # A job that failed in the catalogue is tried again, with the numbers and the files that it has.
    job = site.upload(bundle(metadata=rows(key_values={"Micronaire": "Upland"})))
    reachable = dict(site.addresses)
    site.addresses = {**reachable, "metadata": "http://127.0.0.1:9"}
    site.catalogue_over_http()
    first = site.work(job)
    site.addresses = reachable
    site.catalogue_over_http()
    site.work(job, after=first)
    if site.end(job) != (OK, "ingest metadata", 100.0):
        yield f"again: {site.end(job)}: {site.jobs.get(job.id).exception}"


def facts(addresses: Mapping[str, str], folder: Path) -> Iterator[str]:
    """Ask the real services and the stand-ins the same; give where they differ in what we rely on."""
    with PacificaServices() as stand_ins:
        for name, ask in QUESTIONS.items():
            real, ours = ask(addresses), ask(stand_ins.addresses)
            if real != ours:
                yield f"the fact {name!r}: the services say {real!r}, the stand-ins {ours!r}"


def _unique_id(addresses: Mapping[str, str]) -> Any:
    found = httpx.get(f"{addresses['uniqueid']}/getid", params={"range": 5, "mode": "fact"}).json()
    wrong = httpx.get(f"{addresses['uniqueid']}/getid", params={"range": -5, "mode": "fact"}).json()
    return found["endIndex"] - found["startIndex"], wrong["startIndex"]


def _archive(addresses: Mapping[str, str]) -> Any:
    url = f"{addresses['archive']}/900001"
    missing = httpx.head(url).status_code
    headers = {"Last-Modified": "Sun Nov  6 08:49:37 1994", "Content-Type": "application/octet-stream"}
    puts = [httpx.put(url, content=content, headers=headers).status_code for content in (b"one", b"other")]
    head = httpx.head(url)
    content = httpx.get(url).content
    return (
        missing,
        puts,
        head.status_code,
        head.headers["x-content-length"],
        content,
        httpx.delete(url).status_code,
    )


def _policy(addresses: Mapping[str, str]) -> Any:
    good = httpx.post(f"{addresses['policy']}/ingest", json=rows({}), timeout=60)
    bad = httpx.post(f"{addresses['policy']}/ingest", json=[], timeout=60)
    return good.json(), bad.status_code, bad.json()["message"]


def _metadata(addresses: Mapping[str, str]) -> Any:
    number, said = 800_001, []
    for transaction, file, mimetype in (
        (number, 1, "text/plain"),
        (number, 2, "text/plain"),
        (number + 1, 3, "x"),
    ):
        path, content = next(iter(CONTENTS.items()))
        changed = [
            {**row, "_id": number + file, "subdir": ""} if row["destinationTable"] == "Files" else row
            for row in rows({path: content}, mimetype=mimetype)
        ]
        changed.append({"destinationTable": "Transactions._id", "value": transaction})
        answer = httpx.put(f"{addresses['metadata']}/ingest", json=changed, timeout=60)
        said.append((answer.status_code, "Invalid metadata" in answer.text))
    file = httpx.get(f"{addresses['metadata']}/files", params={"_id": number + 1}).json()
    none = httpx.get(f"{addresses['metadata']}/transactions", params={"_id": number + 1}).json()
    return said, [row["transaction"] for row in file], none


QUESTIONS: dict[str, Callable[[Mapping[str, str]], Any]] = {
    "numbers come in ranges, and -1 for a bad one": _unique_id,
    "what an archive says of a file": _archive,
    "the policy allows, or names what is invalid": _policy,
    "a transaction is taken once, and found again": _metadata,
}

if __name__ == "__main__":
    sys.exit(main())
