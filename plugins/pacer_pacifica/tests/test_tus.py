"""Resumable uploads, as the tus protocol has them."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import io
import json
import os
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from tusclient.client import TusClient

from pacer_pacifica.jobs import Outbox, OwnIds
from pacer_pacifica.service import resumable
from pacer_pacifica.service.making import Making
from pacer_pacifica.service.options import Limits
from pacer_pacifica.service.resumable import Resumable
from pacer_pacifica.service.spool import Room, Spool
from plugins.pacer_pacifica.tests.door import Door, until

Start = Callable[..., Door]
TUS = {"Tus-Resumable": "1.0.0"}
UPLOADS = "/api/v1/uploads"


def begin(door: Door, length: int, **more: str) -> str:
    """Begin an upload; give its place."""
    headers = {**TUS, "Upload-Length": str(length), **more}
    answer = door.client.post(UPLOADS, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


def append(door: Door, place: str, offset: int, body: Any, **more: str) -> httpx.Response:
    """Send further bytes."""
    headers = {
        **TUS,
        "Upload-Offset": str(offset),
        "Content-Type": "application/offset+octet-stream",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    return door.client.patch(place, headers=headers, content=body)


def offset(door: Door, place: str) -> int:
    """Ask how much is there."""
    answer = door.client.head(place, headers=TUS)
    assert answer.status_code == 200
    return int(answer.headers["upload-offset"])


def test_an_upload_in_parts_becomes_one_job(door: Door) -> None:
    place = begin(door, 10, **{"Upload-Metadata": "filename d29ybGQ="})
    first = append(door, place, 0, b"0123")
    assert (first.status_code, first.headers["upload-offset"]) == (204, "4")
    assert "pacer-job" not in first.headers
    head = door.client.head(place, headers=TUS)
    assert (head.headers["upload-offset"], head.headers["upload-length"]) == ("4", "10")
    assert (head.headers["upload-metadata"], head.headers["cache-control"]) == (
        "filename d29ybGQ=",
        "no-store",
    )
    assert door.jobs.find() == []
    last = append(door, place, 4, b"456789")
    assert (last.status_code, last.headers["pacer-job"]) == (204, "1")
    until(lambda: door.service.published)
    message = json.loads(door.service.published[0].body)
    assert (message["user"], message["size"]) == ("alice", 10)
    assert (door.spool / message["name"]).read_bytes() == b"0123456789"
    head = door.client.head(place, headers=TUS)
    assert (head.headers["upload-offset"], head.headers["pacer-job"]) == ("10", "1")
    assert all(answer.headers["tus-resumable"] == "1.0.0" for answer in (first, last, head))


def test_an_upload_that_broke_off_goes_on_where_it_did(door: Door) -> None:
    body = os.urandom(5_000_000)
    place = begin(door, len(body))
    with door.connect() as connection:
        connection.sendall(
            f"PATCH {place} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alices-token\r\n"
            "Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
        )
        connection.sendall(body[:3_333_333])
    until(lambda: offset(door, place) == 3_333_333)
    until(lambda: append(door, place, 3_333_333, body[3_333_333:]).status_code == 204)
    (job,) = door.jobs.find()
    assert (door.spool / job.name).read_bytes() == body


def test_the_protocol_is_described_to_anybody(door: Door) -> None:
    for path in (UPLOADS, f"{UPLOADS}/x"):
        answer = door.client.options(path, headers={"Authorization": ""})
        assert answer.status_code == 204
        assert answer.headers["tus-version"] == "1.0.0"
        assert answer.headers["tus-extension"] == "creation,checksum,expiration,termination"
        assert answer.headers["tus-checksum-algorithm"] == "sha1,sha256,md5"
        assert int(answer.headers["tus-max-size"]) == 4 * 1024**4


@pytest.mark.parametrize("name", ["sha1", "sha256", "md5"])
def test_a_part_with_another_checksum_is_not_kept(door: Door, name: str) -> None:
    place = begin(door, 4)
    right = f"{name} {b64encode(hashlib.new(name, b'0123').digest()).decode()}"
    wrong = append(door, place, 0, b"012X", Upload_Checksum=right)
    assert wrong.status_code == 460
    assert offset(door, place) == 0
    assert append(door, place, 0, b"0123", Upload_Checksum=right).status_code == 204
    assert door.jobs.get(1).size == 4


@pytest.mark.parametrize("given", ["crc32 AAAA", "sha1", "sha1 !", "sha1 AAAA="])
def test_a_checksum_that_is_none_is_refused(door: Door, given: str) -> None:
    place = begin(door, 4)
    assert append(door, place, 0, b"0123", Upload_Checksum=given).status_code in (400, 460)
    assert offset(door, place) == 0


def test_what_is_wrong_is_refused_and_changes_nothing(start: Start) -> None:
    door = start(limits=Limits(size="1KiB"))
    place = begin(door, 10)
    assert append(door, place, 3, b"x").status_code == 409
    assert append(door, place, 0, b"x" * 11).status_code == 413
    assert append(door, place, 0, b"x", Content_Type="text/plain").status_code == 415
    assert door.client.patch(place, content=b"x").status_code == 412
    assert door.client.head(place).status_code == 412
    assert append(door, f"{UPLOADS}/{'0' * 32}", 0, b"x").status_code == 404
    assert append(door, f"{UPLOADS}/..%2f..%2fjobs", 0, b"x").status_code == 404
    for length, status in [("0", 400), ("", 400), ("-1", 400), ("ten", 400), ("1025", 413), ("9" * 30, 400)]:
        answer = door.client.post(UPLOADS, headers={**TUS, "Upload-Length": length})
        assert answer.status_code == status, length
        assert answer.headers["content-type"] == "application/problem+json"
    assert offset(door, place) == 0
    assert door.jobs.find() == []


def test_only_whoever_began_an_upload_goes_on_with_it(door: Door) -> None:
    place = begin(door, 4)
    bob = "Bearer bobs-token"
    assert append(door, place, 0, b"0123", Authorization=bob).status_code == 404
    assert door.client.delete(place, headers={**TUS, "Authorization": bob}).status_code == 404
    assert append(door, place, 0, b"0123").status_code == 204


def test_an_upload_that_is_given_up_is_gone(door: Door) -> None:
    place = begin(door, 4)
    append(door, place, 0, b"01")
    assert door.client.delete(place, headers=TUS).status_code == 204
    assert door.client.head(place, headers=TUS).status_code == 404
    assert append(door, place, 2, b"23").status_code == 404
    assert door.files() == []


def test_two_requests_do_not_write_one_upload_at_once(door: Door) -> None:
    place = begin(door, 4)
    with door.connect() as connection:
        connection.sendall(
            f"PATCH {place} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alices-token\r\n"
            "Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\n"
            "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")  # it is being read
        assert append(door, place, 0, b"0123").status_code == 423
        connection.sendall(b"4567")
        assert connection.recv(1000).startswith(b"HTTP/1.1 204 ")
    (job,) = door.jobs.find()
    assert (door.spool / job.name).read_bytes() == b"4567"


def test_an_upload_that_is_being_sent_is_not_taken_away(door: Door) -> None:
    place = begin(door, 4)
    with (door.spool / "tus" / f"{place.rpartition('/')[2]}.part").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert door.client.delete(place, headers=TUS).status_code == 423
    assert append(door, place, 0, b"0123").status_code == 204


def test_uploads_that_are_jobs_do_not_count_as_begun(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumable, "_MOST", 3)
    for _ in range(7):
        assert append(door, begin(door, 1), 0, b"x").status_code == 204
    for _ in range(3):
        begin(door, 4)
    assert door.client.post(UPLOADS, headers={**TUS, "Upload-Length": "4"}).status_code == 429


def test_one_user_does_not_take_the_places_of_all_others(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumable, "_MOST_OF_ONE", 2)
    for _ in range(2):
        begin(door, 4)
    given = {**TUS, "Upload-Length": "4"}
    assert door.client.post(UPLOADS, headers=given).status_code == 429
    bob = {**given, "Authorization": "Bearer bobs-token"}
    assert door.client.post(UPLOADS, headers=bob).status_code == 201


def test_a_part_that_the_disk_has_no_room_for_is_not_taken(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = [10_000]
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((1, 1, 0, 0, room[0], 0, 0, 0, 0, 255)))
    door = start(limits=Limits(free="1KiB"))
    place = begin(door, 4000)
    room[0] = 3000
    assert append(door, place, 0, b"x" * 4000).status_code == 507
    assert offset(door, place) == 0
    assert append(door, place, 0, b"x" * 1000).status_code == 204


def test_a_cancelled_request_waits_for_the_thread_that_has_its_file(tmp_path: Path) -> None:
    spool, began, goes_on, ended = Spool(tmp_path, Room(1, 0, 1)), Event(), Event(), []

    def write() -> None:
        began.set()
        assert goes_on.wait(30)
        ended.append(True)

    async def cancelled() -> None:
        task = asyncio.ensure_future(spool.run_to_its_end(write))
        while not began.is_set():
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.05, goes_on.set)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended

    asyncio.run(cancelled())
    spool.close()


def test_an_upload_says_when_it_expires_and_does(door: Door) -> None:
    place = begin(door, 4)
    append(door, place, 0, b"01")
    head = door.client.head(place, headers=TUS)
    assert parsedate_to_datetime(head.headers["upload-expires"]).tzinfo is not None
    making = Making(door.jobs, OwnIds(door.database), lambda _: None)
    Resumable(door.spool, Outbox(door.database), making, timedelta(seconds=-1)).sweep()
    assert door.client.head(place, headers=TUS).status_code == 404
    assert door.files() == []


@pytest.mark.parametrize("step", ["before-the-rename", "before-the-job"])
def test_an_upload_whose_process_died_at_its_end_still_becomes_a_job(door: Door, step: str) -> None:
    place = begin(door, 4)
    append(door, place, 0, b"012")
    id_ = place.rpartition("/")[2]
    part = door.spool / "tus" / f"{id_}.part"
    with part.open("ab") as file:
        file.write(b"3")  # as far as a process came before it was killed
    if step == "before-the-job":
        part.rename(door.spool / f"{id_}.bundle")
    head = door.client.head(place, headers=TUS)
    assert (head.headers["upload-offset"], head.headers["pacer-job"]) == ("4", "1")
    assert door.client.head(place, headers=TUS).headers["pacer-job"] == "1"
    assert (door.spool / door.jobs.get(1).name).read_bytes() == b"0123"
    until(lambda: len(door.service.published) == 1)


def test_a_client_from_pypi_uploads_as_it_is_in_parts_with_checksums(door: Door) -> None:
    body = os.urandom(700_001)
    client = TusClient(f"{door.url}{UPLOADS}", headers={"Authorization": "Bearer alices-token"})
    uploader = client.uploader(
        file_stream=io.BytesIO(body),
        chunk_size=100_000,
        upload_checksum=True,
        metadata={"filename": "bundle.tar"},
    )
    uploader.upload(stop_at=300_000)
    again = client.uploader(file_stream=io.BytesIO(body), chunk_size=100_000, url=uploader.url)
    assert again.offset == 300_000
    again.upload()
    (job,) = door.jobs.find()
    assert (door.spool / job.name).read_bytes() == body
