"""Letters that somebody has made to be in the way: none keeps the others from being seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from pacer_core.transport.connection import connect
from pacer_core.transport.outgoing import Outgoing
from tests.e2e.dead_letters.facility import Facility
from tests.e2e.test_bad_messages_at_rabbitmq import Spelled
from tests.letters import HOSTILE


def put(facility: Facility, exchange: str, key: str) -> None:
    """Publish all of them, as a client in another language may do."""
    with closing(connect(facility.config.broker, "test")) as connection, connection.channel() as channel:
        for name, headers in HOSTILE.items():
            message = Spelled(name.encode(), headers=headers)
            channel.basic_publish_confirm(message, exchange=exchange, routing_key=key)


def shows_all(command: Callable[..., Any], count: int) -> None:
    listed = command("list", "--limit", "0")
    assert (listed.code, listed.err) == (0, "")
    assert all(line.isprintable() for line in listed.out.split("\n"))
    printed = command("list", "--json").out
    letters = json.loads(printed)["letters"]
    assert len(letters) == count
    assert all(line.isprintable() for line in printed.split("\n"))
    ids = {one["id"] for one in letters}
    assert all(one in listed.out for one in ids)
    for one in sorted(ids)[:: 1 + len(ids) // 2]:
        shown = command("show", one, "--body")
        assert shown.code == (0 if [each["id"] for each in letters].count(one) == 1 else 1), shown.err
        assert all(line.isprintable() for line in shown.out.split("\n"))
        whole = command("show", one, "--body", "--json").out
        assert all(line.isprintable() for line in whole.split("\n"))


def test_no_letter_keeps_the_others_from_being_seen(facility: Facility, tmp_path: Path) -> None:
    facility.die(1)
    put(facility, "", "samples.dead")
    count = len(HOSTILE) + 1
    shows_all(lambda *options: facility.pacer("dead", *options), count)
    status = facility.pacer("status")
    assert (status.code, status.err) == (0, "")
    for target in (tmp_path / "letters", tmp_path / "letters.jsonl"):
        done = facility.pacer("dead", "export", "--all", "--yes", target)
        assert (done.code, f"{count:,} of {count:,} letters exported" in done.out) == (
            0,
            True,
        )
    bodies = {file.read_bytes() for file in (tmp_path / "letters").iterdir() if file.suffix != ".letter"}
    assert bodies == {*(name.encode() for name in HOSTILE), b'{"name": "a"}'}
    done = facility.pacer("dead", "replay", "--all", "--yes", "--to", "parcels")
    assert done.code == 0, done.err
    assert {copy.body for copy in facility.taken("parcels")} == bodies


def test_nothing_that_waits_keeps_the_rest_from_being_seen(facility: Facility) -> None:
    facility.publisher.publish([Outgoing("pacer.retry.3600s", "samples", b"good")])
    put(facility, "pacer.retry.3600s", "samples")
    count = len(HOSTILE) + 1
    shows_all(
        lambda name, *options: facility.site.pacer("waiting", name, "-c", facility.file, *options), count
    )
    status = facility.pacer("status")
    assert (status.code, status.err) == (0, "")
    assert all(line.isprintable() for line in status.out.split("\n"))
    done = facility.site.pacer("waiting", "now", "-c", facility.file, "--all", "--yes")
    assert done.code == 0, done.err
    assert len(facility.taken("samples")) == count
