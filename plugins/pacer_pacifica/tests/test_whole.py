"""The whole plugin, with real processes and a real broker: the eight cases of Pacifica's own tests."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psycopg
import pytest

from pacer_pacifica.testing import PacificaServices
from plugins.pacer_pacifica.tests.facility import TOKEN, Facility
from plugins.pacer_pacifica.tests.work.support import CONTENTS, TERMS, bundle, file_row, rows
from tests.services import PostgreSQL, RabbitMQ
from tests.support import Site, eventually

OK = ("OK", "ingest metadata", "100.00000")
FOO = b"foo\n"


@pytest.fixture(scope="module")
def facility(rabbitmq: RabbitMQ, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Facility]:
    """A facility that runs, for all of these tests."""
    site, folder = Site(tmp_path_factory.mktemp("site")), tmp_path_factory.mktemp("facility")
    with rabbitmq.vhost() as vhost, PacificaServices() as services:
        broker = f"{{host: 127.0.0.1, port: {rabbitmq.port}, vHost: {json.dumps(vhost)}}}"
        facility = Facility.make(site, broker, folder, services)
        running = facility.run()
        yield facility
        assert running.end() == 0
        assert TOKEN not in running.printed
        facility.client.close()
        site.close()


def stored(facility: Facility, job_id: int) -> list[bytes]:
    """Give what the archive holds of a job, as the catalogue knows it."""
    files = facility.services.files.items()
    return sorted(facility.services.archive[number] for number, row in files if row["transaction"] == job_id)


def test_the_eight_cases_end_as_they_do_at_pacifica(facility: Facility, tmp_path: Path) -> None:
    there = facility.folder / "foo.txt"
    there.write_bytes(FOO)

    def moved(path: Path) -> list[dict[str, Any]]:
        row = file_row("data/foo.txt", FOO, source=str(path))
        assert row["hashsum"] == "f1d2d2f924e986ac86fdf7b36c94bcdf32beec15"
        return [*rows({}), row]

    cases = [
        (facility.upload(bundle()), OK),
        (facility.upload(os.urandom(10_240), "/ingest"), ("FAILED", "open tar", "0.00000")),
        (facility.upload(bundle(metadata=b"[{]")), ("FAILED", "load metadata", "0.00000")),
        (
            facility.upload(bundle(metadata=rows(terms={**TERMS, "project": "12"}))),
            ("FAILED", "Policy Validation", "0.00000"),
        ),
        (
            facility.upload(bundle(metadata=rows(hashsum="deadbeef"))),
            ("FAILED", "ingest files", "0.00000"),
        ),
        (
            facility.upload(bundle(metadata=rows(mimetype="lame-mime-type"))),
            ("FAILED", "ingest metadata", "0.00000"),
        ),
        (facility.move(moved(there)), OK),
        (facility.move(moved(facility.folder / "missing.txt")), ("FAILED", "move files", "0.00000")),
    ]
    for job_id, expected in cases:
        assert facility.end_of(job_id) == expected, job_id
    assert sorted(facility.services.transactions) == [cases[0][0], cases[6][0]]
    assert stored(facility, cases[0][0]) == sorted(CONTENTS.values())
    assert stored(facility, cases[6][0]) == [FOO]
    assert not there.exists()
    assert set(facility.services.puts.values()) == {1}
    kept = {facility.jobs.get(job_id).name for job_id, end in cases if end[0] == "FAILED"}
    eventually(lambda: set(facility.spooled()) == kept, 60)  # for another attempt


def test_a_list_of_a_hundred_files_is_moved(facility: Facility) -> None:
    contents = {f"data/{number}.txt": f"{number}\n".encode() for number in range(100)}
    described = []
    for path, content in contents.items():
        source = facility.folder / Path(path).name
        source.write_bytes(content)
        described.append(file_row(path, content, source=str(source)))
    job_id = facility.move([*rows({}), *described])
    assert facility.end_of(job_id) == OK
    assert stored(facility, job_id) == sorted(contents.values())


def test_a_value_that_is_no_list_of_files_does_not_leave_its_job_stuck(facility: Facility) -> None:
    job_id = facility.move({"a": 1})
    assert facility.end_of(job_id) == ("FAILED", "load metadata", "0.00000")


def test_services_that_are_away_delay_a_job_and_lose_nothing(facility: Facility) -> None:
    for service in ("policy", "archive", "metadata"):
        facility.services.misbehave(service, status=503, times=4)
    job_id = facility.upload(bundle())
    assert facility.end_of(job_id, 240) == OK
    assert stored(facility, job_id) == sorted(CONTENTS.values())
    tries = {stage.task: stage.tries for stage in facility.jobs.stages(job_id)}
    assert tries["Policy Validation"] > 1


def test_curl_uploads_a_bundle_and_reads_its_state(facility: Facility, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    file = tmp_path / "bundle.tar"
    file.write_bytes(bundle())
    url = f"http://127.0.0.1:{facility.port}"

    def ask(*arguments: str, token: str = TOKEN) -> Any:
        who = ["-H", f"Authorization: Bearer {token}"]
        ran = subprocess.run([curl, "-sS", *who, *arguments], capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    posted = ask("-X", "POST", "-T", str(file), f"{url}/upload")  # streamed, after 100 Continue
    encoded = ask("--data-binary", f"@{file}", f"{url}/ingest")  # as a form's content type
    for job in (posted, encoded):
        facility.end_of(job["job_id"])
        assert ask(f"{url}/get_state?job_id={job['job_id']}")["state"] == "OK"
    refused = ask("-T", str(file), "-X", "POST", f"{url}/upload", token="another")
    assert refused["status"] == "401 Unauthorized"


def test_a_client_that_knows_the_documentation_alone_uploads_and_waits(facility: Facility) -> None:
    """Python's library, and what Pacifica documents: POST /ingest, job_id, and get_state until it is done."""
    content = b"measured\n"
    described: list[dict[str, Any]] = [
        {"destinationTable": "Transactions.submitter", "value": 10},
        {"destinationTable": "Transactions.project", "value": "1234a"},
        {"destinationTable": "Transactions.instrument", "value": 54},
        {
            "destinationTable": "Files", "name": "run.dat", "subdir": "data/today", "size": len(content),
            "hashtype": "sha1", "hashsum": hashlib.sha1(content).hexdigest(), "mimetype": "text/plain",
            "ctime": "2025-07-15T10:00:00", "mtime": "2025-07-15T10:00:00",
        },
    ]  # fmt: skip
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, text in (("data/today/run.dat", content), ("metadata.txt", json.dumps(described).encode())):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))

    def ask(path: str, body: bytes | None = None) -> Any:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/octet-stream"}
        with urlopen(Request(f"http://127.0.0.1:{facility.port}{path}", body, headers), timeout=60) as answer:
            return json.load(answer)

    job = ask("/ingest", file.getvalue())

    def has_ended() -> bool:
        state = ask(f"/get_state?job_id={job['job_id']}")
        assert state["state"] == "OK", state["exception"]
        return bool(state["task"] == "ingest metadata" and float(state["task_percent"]) == 100)

    eventually(has_ended, 60)
    assert stored(facility, job["job_id"]) == [content]


def test_a_folder_is_uploaded_by_the_command_and_resumed_where_it_broke_off(
    facility: Facility, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "measured"
    (folder / "raw" / "Übersicht").mkdir(parents=True)
    contents = {
        "notes.txt": b"notes",
        "raw/scan.bin": os.urandom(3_000_000),
        "raw/Übersicht/日本.txt": b"x" * 513,
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    monkeypatch.setenv("PACER_PACIFICA_TOKEN", TOKEN)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    site = facility.site
    arguments: list[str | Path] = [
        "pacifica",
        "upload",
        folder,
        "--url",
        f"http://127.0.0.1:{facility.port}",
        "--wait",
    ]
    arguments += [
        "--submitter",
        "10",
        "--project",
        "1234a",
        "--instrument",
        "54",
        "--part",
        "256KiB",
        "-k",
        "a=b",
    ]
    first = site.start(*arguments)
    parts = facility.folder / "spool" / "tus"
    eventually(lambda: any(one.stat().st_size > 300_000 for one in parts.glob("*.part")), 60)
    first.process.kill()
    first.process.wait()
    (part,) = parts.glob("*.part")
    there = part.stat().st_size
    ran = site.pacer(*arguments)
    assert ran.code == 0, ran.both
    assert ": OK, ingest metadata" in ran.out
    assert 0 < there < 3_000_000
    (job_id,) = (int(one) for one in re.findall(r"^job (\d+)$", ran.out, re.MULTILINE))
    assert stored(facility, job_id) == sorted(contents.values())
    found = [row for row in facility.services.files.values() if row["transaction"] == job_id]
    names = {(row["subdir"], row["name"]) for row in found}
    assert names == {("", "notes.txt"), ("raw", "scan.bin"), ("raw/Übersicht", "日本.txt")}
    assert {row["hashsum"] for row in found} == {hashlib.sha256(one).hexdigest() for one in contents.values()}


def test_administrators_look_at_jobs_and_mend_them(facility: Facility) -> None:
    site, file = facility.site, facility.file
    facility.services.facility.projects = {"other"}
    job_id = facility.upload(bundle())
    assert facility.end_of(job_id)[:2] == ("FAILED", "Policy Validation")

    def pacifica(*arguments: Any) -> str:
        ran = site.pacer("pacifica", *map(str, arguments), "-c", file)
        assert ran.code == 0, ran.both
        return ran.out

    assert "Policy Validation" in pacifica("list", "--status", "failed")
    assert json.loads(pacifica("list", "--json"))[0]["id"] == job_id
    shown = json.loads(pacifica("show", job_id, "--json"))
    assert [stage["task"] for stage in shown["stages"]] == ["open tar", "load metadata", "Policy Validation"]
    assert "load metadata" in pacifica("show", job_id)
    hostile = "\x1b]0;mine\x07 \x9b2J \u202e gpj"
    pacifica("job", "--job-id", job_id, "--state", "FAILED", "--task", hostile, "--exception", hostile)
    for command in (("list",), ("list", "--json"), ("show", job_id), ("show", job_id, "--json")):
        assert [line for line in pacifica(*command).splitlines() if not line.isprintable()] == []
    facility.services.facility.projects = {"1234a"}
    assert "attempt 2" in pacifica("retry", job_id)
    assert facility.end_of(job_id) == OK
    said = pacifica(
        "job",
        "--job-id",
        job_id,
        "--state",
        "FAILED",
        "--task",
        "ingest files",
        "--task-percent",
        50,
        "--exception",
        "by hand",
    )
    assert said == f"job {job_id}: FAILED, ingest files, 50 %, failed\n"
    assert facility.end_of(job_id) == ("FAILED", "ingest files", "50.00000")
    assert "by hand" in pacifica("show", job_id)
    assert pacifica("sweep") == "0 sent again, 0 failed, 0 files taken away\n"
    ran = site.pacer("pacifica", "retry", "999", "-c", file)
    assert (ran.code, "job ID 999 does not exist" in ran.err) == (70, True)
    ran = site.pacer("pacifica", "retry", f"{job_id}", "-c", file)
    assert (ran.code, "is not in the spool any more" in ran.err) == (70, True)


def test_jobs_in_postgresql_are_seen_by_service_and_workers_alike(
    rabbitmq: RabbitMQ, rabbitmq_vhost: str, postgresql: PostgreSQL, site: Site, tmp_path: Path
) -> None:
    with psycopg.connect(postgresql.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE pacifica_jobs")
    database = f"postgresql://pacer@127.0.0.1:{postgresql.port}/pacifica_jobs"
    with PacificaServices() as services:
        broker = f"{{host: 127.0.0.1, port: {rabbitmq.port}, vHost: {json.dumps(rabbitmq_vhost)}}}"
        facility = Facility.make(site, broker, tmp_path, services, database)
        running = facility.run()
        job_id = facility.upload(bundle())
        assert facility.end_of(job_id) == OK
        assert stored(facility, job_id) == sorted(CONTENTS.values())
        eventually(lambda: facility.spooled() == [])
        assert running.end() == 0
        facility.client.close()


def test_a_command_does_not_make_a_job_database(site: Site, tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    text = f"""
        brokers: {{main: {{host: localhost}}}}
        queues: [{{name: bundles}}]
        services:
          - type: pacifica
            options: {{spool: {tmp_path}/spool, bundles: bundles, authentication: {{anonymous: here}}}}
    """
    ran = site.pacer("pacifica", "list", "-c", site.write(text))
    assert (ran.code, "there is no job database yet" in ran.err) == (70, True)
    assert list((tmp_path / "spool").iterdir()) == []
