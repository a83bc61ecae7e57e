"""Paths by which a publisher would have PACER read, wait for or name what is no file of a dataset."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacer_core import Outcome
from plugins.pacer_icat.tests.support import Send
from plugins.pacer_icat.tests.test_paths import CONTENT, data, fields, files, message

__all__ = ["data"]

Race = Callable[[str, Callable[[], None]], None]


@pytest.fixture
def before_opening(monkeypatch: pytest.MonkeyPatch) -> Race:
    """Do something once, at the moment when a path that ends so is opened: after all that was checked."""
    real = os.open

    def race(ending: str, act: Callable[[], None]) -> None:
        done: list[str] = []

        def opening(path: Any, flags: int, *more: Any, **others: Any) -> int:
            if str(path).endswith(ending) and not done:
                done.append(ending)
                act()
            return real(path, flags, *more, **others)

        monkeypatch.setattr("pacer_icat.disk.os.open", opening)

    return race


@pytest.mark.parametrize("roots", [True, False])
def test_a_checksum_opens_neither_a_pipe_nor_a_device_nor_a_folder(
    send: Send, plain: Any, data: Path, roots: bool
) -> None:
    run = data / "run1"
    os.mkfifo(run / "pipe")
    (run / "endless").symlink_to("/dev/zero")
    (run / "terminal").symlink_to("/dev/tty")
    (run / "environment").symlink_to("/proc/self/environ")
    names = ("a.h5", "pipe", "gallery", "endless", "terminal", "environment")
    delivery = send(message(data, *names), checksums="sha256", allowed_roots=(str(data),) if roots else ())
    refused = sorted(path for path, _ in fields(delivery))
    assert refused == [f"datafiles[{place}].location" for place in range(1, 6)]
    assert files(plain) == {}


def test_what_is_no_regular_file_has_no_size(send: Send, plain: Any, data: Path) -> None:
    os.mkfifo(data / "run1" / "pipe")
    (data / "run1" / "zero").symlink_to("/dev/zero")
    assert send(message(data, "a.h5", "pipe", "gallery", "zero"), stat_files=True).outcome is Outcome.ACKED
    found = files(plain)
    assert {name: one.fileSize for name, one in found.items()} == {
        "a.h5": 7,
        "pipe": 0,
        "gallery": 0,
        "zero": 0,
    }
    assert all(found[name].datafileModTime is None for name in ("pipe", "gallery", "zero"))


def test_a_file_that_has_to_exist_is_a_regular_one(send: Send, data: Path) -> None:
    os.mkfifo(data / "run1" / "pipe")
    assert fields(send(message(data, "a.h5", "pipe", "gallery"), must_exist=True)) == [
        ("datafiles[1].location", "file"),
        ("datafiles[2].location", "file"),
    ]


@pytest.mark.parametrize(
    "location",
    ["file:///etc/shadow", "FILE:/etc/shadow", "file:etc/shadow", " file://localhost/etc/shadow"],
)
@pytest.mark.parametrize("roots", [True, False])
def test_the_url_of_a_file_is_no_location(
    send: Send, plain: Any, data: Path, location: str, roots: bool
) -> None:
    sent = message(data) | {"datafiles": [{"location": location}, {"location": f"{data}/run1/a.h5"}]}
    rules = {"allowed_roots": (str(data),)} if roots else {}
    assert [path for path, _ in fields(send(sent, **rules))] == ["datafiles[0].location"]
    assert [path for path, _ in fields(send(message(data, location=location), **rules))] == ["location"]
    assert files(plain) == {}


def test_a_url_is_below_no_root(send: Send, plain: Any, data: Path) -> None:
    sent = message(data) | {"datafiles": [{"location": "s3://bucket/a.h5"}, {"location": "scan:1.h5"}]}
    delivery = send(sent, allowed_roots=(str(data),))
    assert fields(delivery) == [("datafiles[0].location", "path")]
    assert send(sent).outcome is Outcome.ACKED
    assert {one.location for one in files(plain).values()} == {"s3://bucket/a.h5", "scan:1.h5"}


@pytest.mark.parametrize(
    "location",
    [
        "/proc/self/environ",
        "//proc/1/environ",
        "/data/../dev/sda",
        "/sys/kernel",
        f"{'../' * 40}dev/sda",  # from however deep a temporary folder
    ],
)
@pytest.mark.parametrize("rules", [{}, {"must_exist": True}, {"stat_files": True}, {"allowed_roots": ("/",)}])
def test_folders_of_the_kernel_hold_no_data(
    send: Send, data: Path, location: str, rules: dict[str, Any]
) -> None:
    sent = message(data) | {"datafiles": [{"location": location}]}
    assert [path for path, _ in fields(send(sent, **rules))] == ["datafiles[0].location"]


def test_a_folder_of_the_kernel_is_not_listed(send: Send, data: Path) -> None:
    (data / "kernel").symlink_to("/proc/self")
    for location in ("/proc/self", f"{data}/kernel"):
        for roots in ((), ("/",)):
            delivery = send(message(data, location=location), list_files=True, allowed_roots=roots)
            assert [path for path, _ in fields(delivery)] == ["location"]


@pytest.mark.parametrize("name", ["a\0.h5", "a\ud800.h5"])
@pytest.mark.parametrize("option", ["must_exist", "stat_files", "checksums"])
def test_a_location_that_cannot_be_a_path_makes_no_traceback(
    send: Send, data: Path, name: str, option: str
) -> None:
    delivery = send(message(data, name), **{option: "md5" if option == "checksums" else True})
    assert delivery.outcome is not Outcome.RETRIED, delivery.error
    assert "Traceback" not in (delivery.error or "")


def test_a_file_that_becomes_a_link_after_the_check_is_not_read(
    send: Send, plain: Any, data: Path, before_opening: Race
) -> None:
    file = data / "run1" / "a.h5"

    def swap() -> None:
        file.unlink()
        file.symlink_to(data.parent / "secret" / "key")

    before_opening("/run1/a.h5", swap)
    delivery = send(message(data, "a.h5"), allowed_roots=(str(data),), checksums="md5", stat_files=True)
    assert delivery.outcome is not Outcome.ACKED
    assert hashlib.md5(b"secret", usedforsecurity=False).hexdigest() not in str(
        [one.checksum for one in files(plain).values()]
    )


@pytest.mark.parametrize("option", ["must_exist", "stat_files", "checksums"])
def test_a_folder_that_becomes_a_link_after_the_check_leads_nowhere(
    send: Send, plain: Any, data: Path, before_opening: Race, option: str
) -> None:
    (data.parent / "secret" / "a.h5").write_bytes(b"the secret")

    def swap() -> None:
        (data / "run1").rename(data / "before")
        (data / "run1").symlink_to(data.parent / "secret")

    before_opening("/run1/a.h5", swap)
    value = "md5" if option == "checksums" else True
    send(message(data, "a.h5"), allowed_roots=(str(data),), **{option: value})
    found = [(one.fileSize, one.checksum) for one in files(plain).values()]
    assert found in ([], [(0, None)])


def test_a_folder_that_becomes_a_link_while_it_is_listed_shows_no_names(
    send: Send, plain: Any, data: Path, before_opening: Race
) -> None:
    def swap() -> None:
        (data / "run1" / "gallery").rename(data / "run1" / "was")
        (data / "run1" / "gallery").symlink_to(data.parent / "secret")

    before_opening("/run1/gallery", swap)
    send(message(data), list_files=True, allowed_roots=(str(data),))
    assert "key" not in files(plain)


def test_folders_without_end_are_not_listed(send: Send, plain: Any, data: Path) -> None:
    deep = data / "deep"
    (deep / "/".join("f" * 150)).mkdir(parents=True)
    assert fields(send(message(data, location=str(deep)), list_files=True)) == [("location", "accepted")]


def test_size_times_and_checksum_are_of_one_reading(
    send: Send, plain: Any, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = data / "run1" / "a.h5"
    read = os.read

    def grows(descriptor: int, length: int) -> bytes:
        content = read(descriptor, length)
        with file.open("ab") as more:  # for ever, if all of it were read
            more.write(CONTENT)
        return content

    opening = os.open

    def written(path: Any, flags: int, *more: Any, **others: Any) -> int:
        if str(path).startswith("/proc/self/fd") and file.stat().st_size == len(CONTENT):
            file.write_bytes(CONTENT * 2)
        return opening(path, flags, *more, **others)

    monkeypatch.setattr("pacer_icat.disk.os.open", written)
    monkeypatch.setattr("pacer_icat.datasets.paths.os.read", grows)
    send(message(data, "a.h5"), checksums="sha256", stat_files=True)
    (found,) = files(plain).values()
    assert found.fileSize == len(CONTENT * 2)
    assert found.checksum == hashlib.sha256(CONTENT * 2).hexdigest()
