"""The whole plugin, with real processes and a real broker: the eight cases of Pacifica's own tests."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pacer_pacifica.testing import PacificaServices
from plugins.pacer_pacifica.tests.facility import TOKEN, Facility
from plugins.pacer_pacifica.tests.work.support import CONTENTS, TERMS, bundle, file_row, rows
from tests.lab import Lab
from tests.support import Running, eventually

OK = ("OK", "ingest metadata", "100.00000")
FOO = b"foo\n"


@pytest.fixture
def facility(lab: Lab, tmp_path: Path) -> Iterator[Facility]:
    """A facility that is not running yet."""
    with PacificaServices() as services:
        facility = Facility.make(lab, tmp_path, services)
        yield facility
        facility.client.close()


@pytest.fixture
def running(facility: Facility) -> Running:
    """That facility, running."""
    return facility.run()


def test_the_eight_cases_end_as_they_do_at_pacifica(
    facility: Facility, running: Running, tmp_path: Path
) -> None:
    there = tmp_path / "foo.txt"
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
        (facility.move(moved(tmp_path / "missing.txt")), ("FAILED", "move files", "0.00000")),
    ]
    for job_id, expected in cases:
        assert facility.end_of(job_id) == expected, job_id
    assert sorted(facility.services.transactions) == [cases[0][0], cases[6][0]]
    stored = sorted(facility.services.archive.values())
    assert stored == sorted([*CONTENTS.values(), FOO])
    assert set(facility.services.puts.values()) == {1}
    eventually(lambda: len(facility.spooled()) == 6, 60)  # those of the failed: for another attempt
    assert running.end() == 0
    assert TOKEN not in running.printed


def test_a_list_of_a_hundred_files_is_moved(facility: Facility, running: Running, tmp_path: Path) -> None:
    contents = {f"data/{number}.txt": f"{number}\n".encode() for number in range(100)}
    described = []
    for path, content in contents.items():
        source = tmp_path / Path(path).name
        source.write_bytes(content)
        described.append(file_row(path, content, source=str(source)))
    assert facility.end_of(facility.move([*rows({}), *described])) == OK
    assert sorted(facility.services.archive.values()) == sorted(contents.values())
    assert running.end() == 0


def test_a_value_that_is_no_list_of_files_does_not_leave_its_job_stuck(
    facility: Facility, running: Running
) -> None:
    job_id = facility.move({"a": 1})
    assert facility.end_of(job_id) == ("FAILED", "load metadata", "0.00000")
    assert running.end() == 0


def test_curl_uploads_a_bundle_and_reads_its_state(
    facility: Facility, running: Running, tmp_path: Path
) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    file = tmp_path / "bundle.tar"
    file.write_bytes(bundle())
    url = f"http://127.0.0.1:{facility.port}"
    who = ["-H", f"Authorization: Bearer {TOKEN}"]

    def ask(*arguments: str) -> Any:
        ran = subprocess.run([curl, "-sS", *who, *arguments], capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    posted = ask("-X", "POST", "-T", str(file), f"{url}/upload")  # streamed, after 100 Continue
    encoded = ask("--data-binary", f"@{file}", f"{url}/ingest")  # as a form's content type
    for job in (posted, encoded):
        facility.end_of(job["job_id"])
        assert ask(f"{url}/get_state?job_id={job['job_id']}")["state"] == "OK"
    refused = ask("-T", str(file), "-X", "POST", "-H", "Authorization: Bearer x", f"{url}/upload")
    assert refused["status"] == "401 Unauthorized"
    assert running.end() == 0


def test_a_folder_is_uploaded_by_the_command_and_resumed_where_it_broke_off(
    facility: Facility, running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    site = facility.lab.site
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
    assert sorted(facility.services.archive.values()) == sorted(contents.values())
    names = {(row["subdir"], row["name"]) for row in facility.services.files.values()}
    assert names == {("", "notes.txt"), ("raw", "scan.bin"), ("raw/Übersicht", "日本.txt")}
    hashes = {row["hashsum"] for row in facility.services.files.values()}
    assert hashes == {hashlib.sha256(one).hexdigest() for one in contents.values()}
    assert running.end() == 0


def test_administrators_look_at_jobs_and_mend_them(facility: Facility, running: Running) -> None:
    site, file = facility.lab.site, facility.lab.file
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
    assert running.end() == 0
