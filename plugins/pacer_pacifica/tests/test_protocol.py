"""Pacifica's protocol, as its clients speak it, answer by answer."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from pacer_pacifica.jobs import INGEST_METADATA, LOAD_METADATA, OPEN_TAR
from pacer_pacifica.service import pacifica
from plugins.pacer_pacifica.tests.door import Door, until

Start = Callable[..., Door]
FIELDS = ["job_id", "state", "task", "task_percent", "complete", "updated", "created", "exception"]


def state(door: Door, job_id: object) -> dict[str, Any]:
    """Ask for a job."""
    answer = door.client.get(f"/get_state?job_id={job_id}")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("path", ["/upload", "/ingest"])
def test_a_bundle_is_answered_with_its_job_and_sent_to_its_consumer(door: Door, path: str) -> None:
    answer = door.client.post(path, content=b"a bundle", headers={"Content-Type": "application/octet-stream"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    job = answer.json()
    assert list(job) == FIELDS
    assert (job["job_id"], job["state"], job["task"], job["task_percent"]) == (
        1,
        "OK",
        "UPLOADING",
        "0.00000",
    )
    assert (job["complete"], job["exception"]) == (False, "")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", job["created"])
    until(lambda: door.service.published)
    (sent,) = door.service.published
    message = json.loads(sent.body)
    name = message.pop("name")
    assert message == {"job_id": 1, "attempt": 1, "user": "alice", "size": 8}
    assert (sent.to, sent.message_id, sent.content_type) == ("bundles", "pacifica-1-1", "application/json")
    assert (door.spool / name).read_bytes() == b"a bundle"
    assert state(door, 1) == job
    assert door.files() == [name]
    for private in (name, "jobs.sqlite"):
        assert (door.spool / private).stat().st_mode & 0o777 == 0o600


def test_nothing_in_the_spool_is_for_others_whatever_the_umask(door: Door) -> None:
    before = os.umask(0)
    try:
        assert door.client.post("/upload", content=b"a bundle").status_code == 200
        until(lambda: door.service.published)
    finally:
        os.umask(before)
    assert [one for one in door.spool.rglob("*") if one.stat().st_mode & 0o077] == []


def test_a_list_of_files_to_be_moved_is_answered_with_its_job(door: Door) -> None:
    answer = door.client.post("/move", json=[{"destinationTable": "Files"}])
    assert (answer.status_code, list(answer.json())) == (200, FIELDS)
    until(lambda: door.service.published)
    (sent,) = door.service.published
    assert sent.to == "moves"
    name = json.loads(sent.body)["name"]
    assert json.loads((door.spool / name).read_bytes()) == [{"destinationTable": "Files"}]


def test_the_stages_of_a_job_are_seen_as_they_go(door: Door) -> None:
    door.client.post("/upload", content=b"a bundle")
    jobs = door.jobs
    jobs.begin(1, 1, OPEN_TAR)
    jobs.progress(1, 1, OPEN_TAR, 37.5)
    assert (state(door, 1)["task"], state(door, 1)["task_percent"]) == ("open tar", "37.50000")
    jobs.begin(1, 1, LOAD_METADATA)
    jobs.fail(1, 1, LOAD_METADATA, "no JSON")
    found = state(door, 1)
    assert [found[one] for one in FIELDS[1:5]] == ["FAILED", "load metadata", "0.00000", True]
    assert found["exception"] == "no JSON"
    jobs.begin(1, 1, INGEST_METADATA)
    jobs.finish(1, 1)
    found = state(door, 1)
    assert [found[one] for one in FIELDS[1:5]] == ["OK", "ingest metadata", "100.00000", True]
    assert found["exception"] == ""


def test_the_service_says_that_it_is_up_to_anybody(door: Door) -> None:
    answer = door.client.get("/", headers={"Authorization": ""})
    assert (answer.status_code, answer.json()) == (200, {"message": "Pacifica Ingest Up and Running"})


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "message"),
    [
        ("GET", "/get_state", {}, 400, "job_id should be the number of a job"),
        ("GET", "/get_state?job_id=", {}, 400, "job_id should be the number of a job"),
        ("GET", "/get_state?job_id=one", {}, 400, "job_id should be the number of a job"),
        ("GET", "/get_state?job_id=1.5", {}, 400, "job_id should be the number of a job"),
        ("GET", "/get_state?job_id=%D9%A1", {}, 400, "job_id should be the number of a job"),
        ("GET", f"/get_state?job_id={2**63}", {}, 400, "job_id should be the number of a job"),
        ("GET", "/get_state?job_id=12345", {}, 404, "job ID 12345 does not exist."),
        ("POST", "/upload", {"content": b""}, 400, "the body is empty"),
        ("POST", "/upload", {"files": {"a": b"b"}}, 415, "send the bundle itself"),
        (
            "POST",
            "/upload",
            {"content": b"a", "headers": {"Content-Encoding": "gzip"}},
            415,
            "without Content-Enc",
        ),
        ("POST", "/move", {"content": b"{"}, 415, "as application/json"),
        (
            "POST",
            "/move",
            {"content": b"[{]", "headers": {"Content-Type": "application/json"}},
            400,
            "Invalid JSON document",
        ),
        ("GET", "/upload", {}, 405, "GET is not for this"),
        ("PUT", "/get_state", {}, 405, "PUT is not for this"),
        ("GET", "/nothing", {}, 404, "nothing is here"),
    ],
)
def test_what_is_wrong_is_said_in_pacificas_words(
    door: Door, method: str, path: str, more: dict[str, Any], status: int, message: str
) -> None:
    answer = door.client.request(method, path, **more)
    assert answer.status_code == status
    error = answer.json()
    assert list(error) == ["status", "message", "traceback", "version"]
    assert error["status"].startswith(f"{status} ")
    assert message in error["message"]
    assert error["traceback"] == ""
    assert door.files() == []


@pytest.mark.parametrize("job_id", [0, -1])
def test_a_number_that_no_job_has_is_answered_as_pacifica_does(door: Door, job_id: int) -> None:
    found = state(door, job_id)
    assert list(found) == FIELDS
    assert (found["job_id"], found["state"], found["task"]) == (None, "DATA_ACCESS_ERROR", "read_state")


def test_a_body_in_chunks_without_a_length_is_taken(door: Door) -> None:
    def parts() -> Iterator[bytes]:
        yield from (b"one ", b"two ", b"three")

    assert door.client.post("/upload", content=parts()).status_code == 200
    (name,) = door.files()
    assert (door.spool / name).read_bytes() == b"one two three"


def test_a_body_without_a_length_is_refused(door: Door) -> None:
    with door.connect() as connection:
        connection.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alices-token\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 411 ")
    assert door.files() == []


def test_lists_of_files_are_looked_at_one_after_another(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, most = [0], [0]
    loads = orjson.loads

    def slowly(text: bytes) -> Any:
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        assert door.client.get("/").status_code == 200  # others are answered meanwhile
        at_once[0] -= 1
        return loads(text)

    monkeypatch.setattr(pacifica, "orjson", SimpleNamespace(loads=slowly, JSONDecodeError=ValueError))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: door.client.post("/move", json=[]).status_code, range(8)))
    assert (answers, most) == ([200] * 8, [1])
