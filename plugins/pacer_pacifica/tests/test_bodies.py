"""Bodies that are cut, too large, too slow, too many, or that the disk has no room for."""

from __future__ import annotations

import errno
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from pacer_pacifica.service.options import Limits
from plugins.pacer_pacifica.tests.door import Door, until

Start = Callable[..., Door]
HEAD = b"POST /upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alices-token\r\n"
LONG = HEAD + b"Content-Length: 3000000\r\n\r\n"
CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CUTS = {
    "in-the-headers": HEAD,
    "behind-the-headers": LONG,
    "in-the-first-bytes": LONG + b"x",
    "behind-a-block": LONG + b"x" * 1_500_000,
    "before-the-last-byte": LONG + b"x" * 2_999_999,
    "before-a-chunk": CHUNKS,
    "in-the-length-of-a-chunk": CHUNKS + b"100",
    "in-a-chunk": CHUNKS + b"100\r\nxxx",
    "behind-a-chunk": CHUNKS + b"3\r\nxxx\r\n",
    "before-the-last-chunk": CHUNKS + b"200000\r\n" + b"x" * 0x200000 + b"\r\n",
    "in-the-last-chunk": CHUNKS + b"3\r\nxxx\r\n0\r\n",
}


def is_clean(door: Door) -> bool:
    """Say whether there is neither job nor file."""
    return door.files() == [] and not door.jobs.find() and not door.service.published


@pytest.mark.parametrize("how", ["closed", "reset"])
@pytest.mark.parametrize("sent", CUTS.values(), ids=CUTS.keys())
def test_a_body_that_is_cut_leaves_no_job_and_no_file(door: Door, sent: bytes, how: str) -> None:
    with door.connect() as connection:
        connection.sendall(sent)
        if len(sent) > len(LONG):
            until(lambda: door.files() or how == "reset")
        if how == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert door.client.get("/").status_code == 200  # a later request: the earlier one has been looked at
    until(lambda: is_clean(door))


def test_a_bundle_larger_than_allowed_is_refused_before_it_comes(start: Start) -> None:
    door = start(limits=Limits(size="1KiB"))
    answer = door.client.post("/upload", content=b"x" * 1025)
    assert (answer.status_code, answer.json()["message"]) == (
        413,
        "larger than the 1,024 bytes that are taken",
    )
    assert door.client.post("/upload", content=b"x" * 1024).status_code == 200


def test_a_bundle_of_unknown_length_is_refused_when_it_gets_too_large(start: Start) -> None:
    door = start(limits=Limits(size="3MiB"))
    answer = door.client.post("/upload", content=(b"x" * 100_000 for _ in range(100)))
    assert answer.status_code == 413
    assert is_clean(door)


def test_a_list_of_files_has_a_limit_of_its_own(start: Start) -> None:
    door = start(limits=Limits(move_size="1KiB"))
    assert door.client.post("/move", json=["x" * 2000]).status_code == 413
    assert door.client.post("/upload", content=b"x" * 2000).status_code == 200


def test_whoever_waits_for_100_continue_is_refused_without_sending(start: Start) -> None:
    door = start(limits=Limits(size="1KiB"))
    with door.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 999999999\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_whoever_sends_on_is_told_why_it_is_refused(start: Start) -> None:
    door = start(limits=Limits(size="1KiB"))
    with door.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 8000000\r\n\r\n" + b"x" * 8_000_000)
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_a_disk_without_room_is_said_before_anything_is_written(start: Start) -> None:
    door = start(limits=Limits(free="1000TiB"))
    answer = door.client.post("/upload", content=b"x")
    assert answer.status_code == 507
    assert answer.headers["retry-after"] == "60"
    assert "no room" in answer.json()["message"]
    assert is_clean(door)
    until(lambda: door.service.troubles and "has less room than limits.free" in door.service.troubles[-1])


def test_room_that_others_have_announced_is_not_given_twice(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = os.statvfs_result((1, 1, 0, 0, 10_000, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: room)
    door = start(limits=Limits(free="1KiB"))
    with door.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 8000\r\n\r\nx")
        until(door.files)
        assert door.client.post("/upload", content=b"x" * 2000).status_code == 507
    until(lambda: is_clean(door))
    assert door.client.post("/upload", content=b"x" * 2000).status_code == 200


@pytest.mark.parametrize("size", [1000, 5_000_000])
def test_a_disk_that_gets_full_leaves_nothing_behind(
    door: Door, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "writev", full)
        assert door.client.post("/upload", content=b"x" * size).status_code == 507
        assert is_clean(door)
    assert door.client.post("/upload", content=b"x" * size).status_code == 200


def test_too_many_uploads_at_once_are_told_to_come_again(start: Start) -> None:
    door = start(limits=Limits(uploads=1))
    with door.connect() as connection:
        connection.sendall(LONG)
        until(door.files)
        answer = door.client.post("/upload", content=b"x")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
    until(lambda: is_clean(door))
    assert door.client.post("/upload", content=b"x").status_code == 200


def test_a_body_that_stops_coming_is_given_up(start: Start) -> None:
    door = start(limits=Limits(idle=timedelta(seconds=0.3)))
    with door.connect() as connection:
        connection.sendall(LONG + b"x")
        assert connection.recv(4096).startswith(b"HTTP/1.1 408 ")
    until(lambda: is_clean(door))


def test_a_body_that_takes_too_long_is_given_up(start: Start) -> None:
    door = start(limits=Limits(time=timedelta(seconds=0.5)))
    with door.connect() as connection:
        connection.sendall(LONG)
        connection.settimeout(0.05)
        answer = b""
        while not answer:
            try:
                connection.sendall(b"x")
                answer = connection.recv(4096)
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408 ")
    until(lambda: is_clean(door))


def test_two_hundred_uploads_at_once_all_become_jobs(door: Door) -> None:
    bodies = [f"{number}".encode() * (number * 997 % 200_000 + 1) for number in range(200)]
    answers: list[Any] = []

    def upload(body: bytes) -> None:
        with httpx.Client(base_url=door.url, headers=door.client.headers, timeout=120) as client:
            answers.append(client.post("/upload", content=body).status_code)

    threads = [threading.Thread(target=upload, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 200
    until(lambda: len(door.service.published) == 200)
    assert sorted(job.id for job in door.jobs.find(limit=300)) == list(range(1, 201))
    assert sorted((door.spool / name).read_bytes() for name in door.files()) == sorted(bodies)


def test_an_upload_under_way_when_the_service_ends_leaves_nothing(start: Start) -> None:
    door = start()
    with door.connect() as connection:
        connection.sendall(LONG + b"x" * 2_000_000)
        until(door.files)
        door.end()
        began = time.monotonic()
        connection.settimeout(30)
        connection.recv(4096)
        until(lambda: door.files() == [])
        assert time.monotonic() - began < 30
    assert door.jobs.find() == []
