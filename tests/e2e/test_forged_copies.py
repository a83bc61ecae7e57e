"""What a publisher says in PACER's own headers is believed by nobody; what PACER says there is."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from attrs import define

from pacer_core.config import load
from pacer_core.transport.connection import connect, contents
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.topology import declare
from tests.lab import PLUGIN, Lab
from tests.support import Ran, Site

JOB = {"name": "a"}
STATE: dict[str, Any] = {
    "x-pacer-version": 1,
    "x-pacer-done": ["first", "other"],
    "x-pacer-rejected": {"second": "\x1b[2J\nforged"},
    "x-pacer-facts": '{"doi":"10.1/foreign"}',
    "x-pacer-first-seen": "2001-01-01T00:00:00+00:00",
    "x-pacer-attempt": 40,
    "x-pacer-retries": 20,
    "x-pacer-waited": 1_000_000,
    "x-pacer-exchange": "user-office",
    "x-pacer-routing-key": "users",
    "x-pacer-signature": "AAAA",
}


@define(eq=False)
class Place:
    """A configuration with a broker, and how to publish there as anybody may."""

    site: Site
    file: Path
    effects_file: Path

    def publish(self, body: Mapping[str, Any], headers: Mapping[str, Any], **properties: Any) -> None:
        self.send(Outgoing("", "jobs", json.dumps(body).encode(), headers, properties))

    def send(self, message: Outgoing) -> None:
        config = load(self.file)
        with closing(connect(config.broker, "test")) as connection:
            declare(connection, config)
        with closing(Publisher(config.broker)) as publisher:
            publisher.publish([message])

    def once(self, *more: str) -> Ran:
        return self.site.pacer("run", "--once", *more, "-c", self.file)

    @property
    def effects(self) -> list[str]:
        """What the tasks have done since the last look."""
        lines = self.effects_file.read_text().splitlines() if self.effects_file.exists() else []
        self.effects_file.unlink(missing_ok=True)
        return lines

    def ladder(self) -> list[Outgoing]:
        """Take what waits for its retry."""
        return self.take("pacer.retry.60s")

    def take(self, queue: str) -> list[Outgoing]:
        """Take what lies in a queue, as messages that may be published again."""
        taken = []
        with closing(connect(load(self.file).broker, "test")) as connection:
            channel = connection.channel()
            while (message := channel.basic_get(queue)) is not None:
                one = contents(message)
                channel.basic_ack(message.delivery_tag)
                taken.append(Outgoing("", "jobs", one.body, one.headers, dict(one.properties)))
            channel.close()
        return taken

    def configure(self, **processes: Any) -> None:
        text = self.file.read_text()
        had = re.search(r"^processes: (.*)$", text, re.MULTILINE)
        assert had is not None
        given = json.dumps({"stateFolder": str(self.site.folder / "state"), **processes})
        self.file.write_text(text.replace(had[0], f"processes: {given}"))


EMBEDDED = """
brokers: {{main: {{protocol: sqlite, path: {path}}}}}
queues: [{{name: jobs}}]
consumers: [{{type: jobs, queues: [jobs], retries: {{limit: 3, delay: 1min, factor: 1}}}}]
health: {{enabled: false}}
processes: {{stateFolder: {state}}}
"""
RETRIES = "type: jobs, queues: [jobs], retries: {limit: 3, delay: 1min, factor: 1}"


@pytest.fixture(params=["rabbitmq", "sqlite"])
def place(request: pytest.FixtureRequest, site: Site, tmp_path: Path) -> Iterator[Place]:
    if request.param == "rabbitmq":
        lab: Lab = request.getfixturevalue("lab")
        lab.configure(consumer=RETRIES)
        yield Place(lab.site, lab.file, lab.site.folder / "effects")
        return
    site.install("lab-pacer", PLUGIN)
    file = site.write(EMBEDDED.format(path=tmp_path / "broker.sqlite", state=site.folder / "state"))
    yield Place(site, file, site.folder / "effects")


@pytest.mark.parametrize("signature", ["AAAA", None, "", 7, ["a"], {"a": "b"}, b"\xff", "ä" * 44])
def test_a_forged_copy_is_handled_as_new(place: Place, signature: object) -> None:
    forged = {**STATE, "x-pacer-signature": signature}
    place.publish(JOB | {"first": "tell"}, {k: v for k, v in forged.items() if v is not None})
    ran = place.once()
    assert ran.out == "1 done, 0 dead, 0 waiting for a retry\n", ran.both
    assert sorted(place.effects) == ["facts {} []", "first a 1", "other a 1", "second a 1"]
    (said,) = [line for line in ran.err.splitlines() if "handled as new" in line]
    assert "jobs: " in said
    assert "\x1b" not in ran.both


def test_it_is_told_once_for_each_queue(place: Place) -> None:
    for _ in range(5):
        place.publish(JOB, STATE)
    ran = place.once()
    assert ran.out.startswith("5 done"), ran.both
    assert ran.err.count("handled as new") == 1


def test_a_copy_of_pacer_s_own_is_believed(place: Place) -> None:
    place.publish(JOB | {"first": "note x", "second": "error", "other": "tell"}, {"colour": "red"})
    assert place.once().code == 2
    place.effects  # noqa: B018 - forgotten by looking
    for copy in place.ladder():
        place.send(copy)
    ran = place.once()
    assert "handled as new" not in ran.err
    assert place.effects == ["second a 2"], "what is done does not run again"
    (copy,) = place.ladder()
    assert (copy.headers["x-pacer-facts"], copy.headers["x-pacer-retries"]) == ('{"x":1}', 2)


CHANGES: dict[str, Any] = {
    "done": ["first", "other", "second"],
    "facts": '{"x":2}',
    "rejected": {"second": "no"},
    "retries": 0,
    "waited": 0,
    "attempt": 7,
    "first-seen": "2001-01-01T00:00:00+00:00",
    "exchange": "user-office",
    "routing-key": "users",
    "correlation-id": "another",
    "path": ["elsewhere"],
    "renewed": True,
    "anything": [["new"]],
}


@pytest.mark.parametrize("name", [*CHANGES, "body", "message_id", "queue"])
def test_a_copy_is_believed_as_pacer_wrote_it_alone(place: Place, name: str) -> None:
    place.publish(JOB | {"first": "note x", "second": "error", "other": "tell"}, {}, message_id="m-1")
    assert place.once().code == 2
    place.effects  # noqa: B018 - forgotten by looking
    (copy,) = place.ladder()
    headers = {**copy.headers}
    body, properties = copy.body, {**copy.properties}
    if name == "body":
        body = body.replace(b'"a"', b'"b"')
    elif name == "message_id":
        properties["message_id"] = "m-2"
    elif name == "queue":
        place.file.write_text(place.file.read_text().replace("name: jobs", "name: more").replace(
            "[jobs]", "[more]"))  # fmt: skip
    else:
        headers[f"x-pacer-{name}"] = CHANGES[name]
    place.send(Outgoing("", "more" if name == "queue" else "jobs", body, headers, properties))
    ran = place.once()
    assert "handled as new" in ran.err, ran.both
    who = "b" if name == "body" else "a"
    assert sorted(line for line in place.effects if not line.startswith("facts")) == [
        f"first {who} 1", f"other {who} 1", f"second {who} 1"]  # fmt: skip


def test_copies_of_a_release_without_signatures_are_believed_where_that_is_said(place: Place) -> None:
    place.configure(acceptUnsigned=True)
    unsigned = {name: value for name, value in STATE.items() if name != "x-pacer-signature"}
    place.publish(JOB, unsigned | {"x-pacer-done": ["first"], "x-pacer-rejected": {}})
    place.publish(JOB | {"name": "b"}, STATE | {"x-pacer-rejected": {}})
    ran = place.once()
    assert ran.out.startswith("2 done"), ran.both
    assert "acceptUnsigned is true" in ran.err, "it is not forgotten there"
    assert sorted(place.effects) == ["first b 1", "other a 41", "other b 1", "second a 41", "second b 1"]


def test_keys_can_be_changed_one_by_one(place: Place) -> None:
    old, new = "an old key of ours", "the key from now on"
    place.configure(signingKeys=[old])
    place.publish(JOB | {"second": "error"}, {})
    place.once()
    (copy,) = place.ladder()
    for keys, done in (([new, old], True), ([old], True), ([new], False)):
        place.configure(signingKeys=keys)
        place.effects  # noqa: B018 - forgotten by looking
        place.send(copy)
        place.once()
        assert ("first a 1" not in place.effects) is done, keys
        place.ladder()


def test_a_message_that_hosts_with_different_keys_begin_anew_ends(place: Place) -> None:
    place.configure(signingKeys=["the key of one host"])
    place.publish(JOB | {"second": "error"}, {})
    place.once()
    (copy,) = place.ladder()
    for number in range(40):
        place.configure(signingKeys=[f"the key of host {number}"])
        place.send(copy)
        if place.once().code == 1:
            break
        (copy,) = place.ladder()
    (dead,) = place.take("jobs.dead")
    assert "signingKeys" in dead.headers["x-pacer-error"]


def test_all_workers_of_a_folder_have_one_key_that_nobody_else_reads(place: Place) -> None:
    place.publish(JOB | {"second": "error"}, {})
    place.once()
    keys = [*place.site.folder.rglob("*.key"), *place.file.parent.parent.rglob("broker.sqlite.key")]
    for key in dict.fromkeys(keys):
        assert os.stat(key).st_mode & 0o077 == 0
    assert len(set(keys)) == 1


def test_what_is_sent_back_early_is_still_believed(place: Place) -> None:
    place.publish(JOB | {"second": "error"}, {}, content_type="application/json")
    place.once()
    assert place.site.pacer("waiting", "now", "--all", "--yes", "-c", place.file).code == 0
    place.effects  # noqa: B018 - forgotten by looking
    ran = place.once()
    assert "handled as new" not in ran.err
    assert place.effects == ["second a 2"]


def test_what_is_replayed_with_what_is_pending_goes_on_there(place: Place) -> None:
    place.publish(JOB | {"first": "note x", "second": "reject"}, {}, content_type="application/json")
    assert place.once().code == 1
    place.effects  # noqa: B018 - forgotten by looking
    replay = place.site.pacer("dead", "replay", "--pending-only", "--all", "--yes", "-c", place.file)
    assert (replay.code, replay.err) == (0, ""), replay.both
    ran = place.once()
    assert "handled as new" not in ran.err
    assert place.effects == ["second a 1"]


def test_a_forged_letter_is_replayed_as_new(place: Place) -> None:
    letter = Outgoing("", "jobs.dead", json.dumps(JOB).encode(), STATE | {"x-pacer-error": "forged"}, {})
    place.send(letter)
    replay = place.site.pacer("dead", "replay", "--pending-only", "--all", "--yes", "-c", place.file)
    assert replay.code == 0, replay.both
    assert "1 letter without a signature that fits" in replay.err
    (copy,) = place.take("jobs")
    assert "x-pacer-done" not in copy.headers or copy.headers["x-pacer-done"] == []
    assert (copy.headers["x-pacer-exchange"], copy.headers["x-pacer-routing-key"]) == ("", "jobs")
    place.send(copy)
    ran = place.once()
    assert "handled as new" not in ran.err
    assert sorted(place.effects) == ["first a 1", "other a 1", "second a 1"]


def test_an_exported_letter_that_is_sent_again_is_no_forgery(place: Place, tmp_path: Path) -> None:
    place.publish(JOB | {"first": "reject"}, {}, content_type="application/json")
    assert place.once().code == 1
    export = tmp_path / "letters"
    export.mkdir()
    assert place.site.pacer("dead", "export", "--all", "--yes", "-c", place.file, export).code == 0
    assert place.site.pacer("send", "-c", place.file, export).code == 0
    place.effects  # noqa: B018 - forgotten by looking
    ran = place.once()
    assert "handled as new" not in ran.err
    assert "first a 1" in place.effects


def test_the_metrics_count_what_is_not_believed(lab: Lab) -> None:
    lab.configure(consumer=RETRIES, more="health: {port: 0}")
    running = lab.run()
    lab.publish(JOB, headers=STATE)
    lab.publish(JOB, headers={"x-pacer-path": ["elsewhere"], "x-pacer-correlation-id": "c"})
    running.wait_for("handled as new")
    found = re.search(r"http://127\.0\.0\.1:\d+", running.printed)
    assert found is not None, running.printed
    while len(lab.effects) < 6:
        time.sleep(0.05)
    with urlopen(f"{found[0]}/metrics") as answer:
        text = answer.read().decode()
    assert 'pacer_copies_not_believed_total{queue="jobs"} 1.0' in text


def test_doctor_says_what_copies_are_signed_with(lab: Lab) -> None:
    lab.configure(consumer=RETRIES, broker=", username: guest, password: guest")
    file = lab.file
    text = file.read_text()
    assert "copies are signed with the key in" in lab.site.pacer("doctor", "-c", file).out
    given = text.replace(
        "processes: {", "processes: {acceptUnsigned: true, signingKeys: [sixteen letters ok], "
    )
    file.write_text(given)
    told = " ".join(lab.site.pacer("doctor", "-c", file).out.split())
    assert re.search(r"the first of processes\.signingKeys \(fingerprint [0-9a-f]{8}\)", told), told
    assert "acceptUnsigned is true" in told


def test_a_key_that_is_too_short_is_an_error(place: Place) -> None:
    place.configure(signingKeys=["too short"])
    checked = place.site.pacer("config", "check", "-c", place.file)
    assert checked.code != 0
    assert "16 characters" in checked.both
    assert "too short" not in checked.both.replace("is too short", "")


def test_a_forged_exchange_is_not_what_forwarding_goes_by(place: Place) -> None:
    text = place.file.read_text()
    recipient = (
        "{name: other, protocol: sqlite, path: %s, forwardingRules: [{fromExchange: user-office}]}"
        % (place.site.folder / "other.sqlite")
    )
    broker = re.search(r"main: ({.*?})}?$", text, re.MULTILINE)
    assert broker is not None
    rest = re.sub(r"(?ms)^brokers:.*?(?=^queues)", "", text)
    exchanges = "exchanges: [{name: user-office, type: topic}]\n"
    place.file.write_text(f"brokers:\n  main: {broker[1]}\n  recipients: [{recipient}]\n{exchanges}{rest}")
    place.publish(JOB, STATE)
    ran = place.once()
    assert ran.out.startswith("1 done"), ran.both
    assert not (place.site.folder / "other.sqlite").exists(), "nobody has published there"

    unsigned = {name: value for name, value in STATE.items() if name != "x-pacer-signature"}
    place.send(Outgoing("", "jobs.dead", b"{}", unsigned | {"x-pacer-error": "of an older release"}, {}))
    replay = place.site.pacer("dead", "replay", "--all", "--yes", "-c", place.file)
    assert replay.code == 1
    assert "would not be forwarded" in " ".join(replay.out.split())
    assert len(place.take("jobs.dead")) == 1, "nothing is lost"
