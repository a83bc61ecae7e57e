"""Dead letters are written to files, from which they can be sent again."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from pacer_core.transport.dead_queues import BATCH
from tests.e2e.dead_letters.facility import Facility
from tests.support import eventually


@pytest.mark.parametrize("name", ["out", "out.jsonl"])
def test_an_export_keeps_bodies_byte_for_byte_and_can_be_sent_again(
    facility: Facility, tmp_path: Path, name: str
) -> None:
    bodies = [b'\xef\xbb\xbf{"name": "\xc3\xa9"}\r\n', bytes(range(256))]
    for number, body in enumerate(bodies):
        facility.die(number, body=body)
    target = tmp_path / name
    done = facility.pacer("dead", "export", "--yes", "--all", target)
    assert (done.code, "2 of 2 letters exported" in done.out) == (0, True)
    assert facility.depth("samples.dead") == 2
    assert target.stat().st_mode & 0o077 == 0
    if target.is_dir():
        assert sorted(path.read_bytes() for path in target.glob("*.json")) == sorted(bodies)
        (about, _) = sorted(target.glob("*.letter"))
        assert orjson.loads(about.read_bytes())["correlation_id"] == "c-0"
    assert "2 letters confirmed" in facility.pacer("send", target).out
    copies = facility.taken()
    assert [copy.body for copy in copies] == bodies
    assert [copy.headers["x-pacer-correlation-id"] for copy in copies] == ["c-0", "c-1"]
    assert [copy.headers["beamline"] for copy in copies] == ["bl06"] * 2
    facility.pacer("send", "--exchange", "", "--routing-key", "parcels", target)
    assert facility.depth("parcels") == 2


def test_an_export_may_remove_what_is_on_the_disk(facility: Facility, tmp_path: Path) -> None:
    facility.fill(BATCH + 3)
    target = tmp_path / "out.jsonl"
    assert facility.pacer("dead", "export", "--yes", "--remove", "--all", target).code == 0
    assert len(target.read_bytes().splitlines()) == BATCH + 3
    assert facility.depth("samples.dead") == 0


def test_an_export_overwrites_no_file_and_removes_nothing_then(facility: Facility, tmp_path: Path) -> None:
    facility.fill(3)
    target = tmp_path / "out.jsonl"
    target.write_text("precious")
    done = facility.pacer("dead", "export", "--yes", "--remove", "--all", target)
    assert (done.code, "is there already" in done.err) == (70, True)
    assert target.read_text() == "precious"
    eventually(lambda: facility.depth("samples.dead") == 3)


def test_an_export_that_was_cut_off_says_so_when_it_is_sent(facility: Facility, tmp_path: Path) -> None:
    facility.fill(3)
    target = tmp_path / "out.jsonl"
    facility.pacer("dead", "export", "--yes", "--all", target)
    target.write_bytes(target.read_bytes()[:-40])
    done = facility.pacer("send", target)
    assert (done.code, f"{target}:3: is no letter" in done.err) == (70, True)
