"""`pacer plan`: what would become of messages; the sandbox counts its calls: nothing is written."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pacer_sandbox import IcatSandbox
from pacer_sandbox.misbehave import WRITES
from tests.support import Ran, Site

MESSAGES = Path(__file__).parents[2] / "examples" / "messages"
CONFIG = """
    brokers: {main: {protocol: sqlite, path: %(folder)s/broker.db}}
    queues: [{name: datasets}, {name: users}, {name: investigations}, {name: others}]
    consumers:
      - {type: datasets, queues: [datasets], integrations: [icat], options: {unknownParameters: ignore}}
      - {type: users, queues: [users], integrations: [icat]}
      - {type: investigations, queues: [investigations], integrations: [icat]}
      - {type: others, queues: [others]}
    integrations:
      icat: {url: '%(url)s', authenticator: simple, username: root, password: secret, timeZone: Europe/Madrid}
"""
OTHERS = """
    from attrs import frozen
    from pacer_core import ConsumerType, NotYet, Planned, Reject, hookimpl, task

    @frozen
    class Other:
        number: int

    def foresee(other, ctx):
        if other.number > 5:
            raise NotYet("number 5 has to come first")
        yield Planned(f"other {other.number}", "new", "a \\x1b[31m detail")

    @task(plan=foresee)
    def first(other, ctx):
        raise AssertionError("a plan runs no task")

    @task(after=[first])
    def second(other, ctx):
        raise AssertionError("a plan runs no task")

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(name="others", message=Other, tasks=[first, second])
"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[IcatSandbox]:
    with IcatSandbox(seed="demo") as running:
        yield running


@pytest.fixture
def facility(site: Site, sandbox: IcatSandbox) -> Site:
    site.install("acme-others", OTHERS)
    site.write(CONFIG % {"folder": site.folder, "url": sandbox.url})
    return site


def plan(facility: Site, consumer: str, *files: Path | str) -> Ran:
    return facility.pacer("plan", "-c", facility.folder / "pacer.yaml", "-n", consumer, *files)


def planned(facility: Site, consumer: str, *files: Path | str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(plan(facility, consumer, *files, "--json").out)
    return found


def test_no_message_of_the_examples_writes_anything_when_it_is_planned(
    facility: Site, sandbox: IcatSandbox
) -> None:
    sandbox.misbehave.calls.clear()
    files = sorted(MESSAGES.iterdir())
    found = {Path(one["file"]).name: one for one in planned(facility, "datasets", *files)}
    assert sandbox.misbehave.calls["search"] > 0
    assert {name: sandbox.misbehave.calls[name] for name in WRITES if sandbox.misbehave.calls[name]} == {}
    assert not (facility.folder / "broker.db").exists()
    assert {name: one["outcome"] for name, one in found.items()} == {
        "broken-fields.xml": "dead",
        "broken-json.json": "dead",
        "dataset-alba.json": "acked",
        "dataset-alba.xml": "acked",
        "dataset-esrf.xml": "acked",
    }
    (task,) = [one for one in found["dataset-alba.xml"]["tasks"] if one["task"] == "store_dataset"]
    assert task["says"] == [
        {
            "what": "dataset 'ref-cq_3_diffraction_thumbnail_run1'",
            "change": "new",
            "detail": "4 files, 3 parameters",
        },
        {"what": "sample '20250703_Sample-cq'", "change": "new", "detail": ""},
    ]
    assert [one["path"] for one in found["broken-fields.xml"]["failure"]["fields"]] == [
        "name", "start_date", "parameters[0].value",
    ]  # fmt: skip


def test_a_person_reads_it_in_lines(facility: Site) -> None:
    done = plan(facility, "datasets", MESSAGES / "dataset-alba.json", MESSAGES / "broken-json.json")
    assert done.code == 1
    assert done.out.splitlines() == [
        f"{MESSAGES}/dataset-alba.json: would be done (datasets)",
        "  store_dataset:",
        "    dataset 'ref-cq_3_diffraction_thumbnail_run1': new, 4 files, 3 parameters",
        "    sample '20250703_Sample-cq': new",
        f"{MESSAGES}/broken-json.json: would be dead (datasets)",
        "  the body is not JSON: line 1, column 83",
    ]


def test_what_is_planned_is_what_happens_and_then_there_is_nothing_to_do(site: Site) -> None:
    with IcatSandbox(seed="demo") as own:
        site.install("acme-others", OTHERS)
        config = site.write(CONFIG % {"folder": site.folder, "url": own.url})
        body = MESSAGES / "dataset-alba.json"
        assert site.pacer("send", "-c", config, "-n", "datasets", body).code == 0
        assert site.pacer("run", "--once", "-c", config).code == 0
        (one,) = planned(site, "datasets", body)
        assert [(said["change"], said["detail"]) for said in one["tasks"][0]["says"]] == [
            ("there", "4 files, 3 parameters"),
            ("there", ""),
        ]
        other = json.loads(body.read_text()) | {"end_date": "2025-07-15_16:00:00"}
        file = site.write(json.dumps(other), "other.json")
        done = site.pacer("plan", "-c", config, "-n", "datasets", "--differences", file)
        assert "    1 of these has other values, which the ends keep" in done.out.splitlines()
        assert ": kept, in ICAT another value stays: endDate" in done.out
        moved = json.loads(body.read_text()) | {"location": "elsewhere", "datafiles": []}
        (one,) = planned(site, "datasets", site.write(json.dumps(moved), "moved.json"))
        said = one["tasks"][0]["says"][0]
        assert said["change"] == "new"
        assert "another dataset is called" in said["detail"]


def test_accounts_are_counted_and_not_named(facility: Site) -> None:
    user = {
        "id": 7, "first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.org", "enabled": True,
        "user_list": [{"username": "new-one"}, {"username": "another"}],
        "affiliation": {"id": 3, "name": "X"},
    }  # fmt: skip
    done = plan(facility, "users", facility.write(json.dumps(user), "user.json"))
    assert done.code == 0
    assert "    2 accounts: new" in done.out.splitlines()
    assert "new-one" not in done.out


def test_an_investigation_that_is_there_is_told_from_a_new_one(facility: Site) -> None:
    new = {
        "name": "2026000001", "start_date": "2026-07-01", "end_date": "2026-07-02", "title": "t",
        "summary": "s", "type": "MX", "instrument": {"name": "BL06", "code": "bl06"}, "icat_sync": True,
    }  # fmt: skip
    (one,) = planned(facility, "investigations", facility.write(json.dumps(new), "new.json"))
    said = one["tasks"][0]["says"] or one["tasks"][0]["failure"]
    assert said
    away = facility.write(json.dumps(new | {"icat_sync": False}), "away.json")
    (one,) = planned(facility, "investigations", away)
    assert one["tasks"][0]["says"] == []


def test_what_would_wait_says_for_what_and_stops_what_comes_after(facility: Site) -> None:
    done = plan(facility, "others", facility.write('{"number": 6}', "six.json"))
    assert done.code == 2
    assert done.out.splitlines()[1:] == [
        "  first: the message would wait",
        "    number 5 has to come first",
        "  second: would not run before first",
    ]


def test_a_task_that_cannot_tell_is_named_and_nothing_moves_the_terminal(facility: Site) -> None:
    done = plan(facility, "others", facility.write('{"number": 5}', "five.json"))
    assert done.code == 0
    assert "  second: would run; it cannot tell beforehand what it does" in done.out.splitlines()
    assert "\x1b" not in done.out


def test_it_asks_for_the_consumer_where_there_are_several(facility: Site) -> None:
    done = facility.pacer("plan", "-c", facility.folder / "pacer.yaml", MESSAGES / "dataset-alba.json")
    assert done.code == 2
    assert "datasets, users, investigations, others" in done.err


def test_a_queue_bound_beside_another_program_is_planned_and_keeps_its_messages(
    site: Site,
) -> None:
    with IcatSandbox(seed="demo") as own:
        old = CONFIG.replace("{name: datasets}", "{name: datasets, exchange: ingest, routingKey: d}")
        old = old.replace("consumers:", "exchanges: [{name: ingest}]\n    consumers:", 1)
        site.install("acme-others", OTHERS)
        config = site.write(old % {"folder": site.folder, "url": own.url})
        beside = site.write(f"""
            brokers: {{main: {{protocol: sqlite, path: {site.folder}/broker.db}}}}
            exchanges: [{{name: ingest}}]
            queues: [{{name: beside, exchange: ingest, routingKey: d}}]
            consumers:
              - type: datasets
                queues: [beside]
                enabled: false
                integrations: [icat]
                options: {{unknownParameters: ignore}}
            integrations:
              icat: {{url: '{own.url}', authenticator: simple, username: root, password: secret,
                     timeZone: Europe/Madrid}}
        """, "beside.yaml")  # fmt: skip
        missing = site.pacer("plan", "-c", beside, "--queue", "beside")
        assert (missing.code, "--declare makes" in missing.err) == (69, True)
        empty = site.pacer("plan", "-c", beside, "--queue", "beside", "--declare")
        assert (empty.code, empty.out.splitlines()[0]) == (0, "0 messages:")
        files = [MESSAGES / name for name in ("dataset-alba.json", "dataset-esrf.xml", "broken-json.json")]
        assert site.pacer("send", "-c", config, "-n", "datasets", *files).code == 0
        own.misbehave.calls.clear()

        def said(*options: str) -> list[dict[str, Any]]:
            done = site.pacer("plan", "-c", beside, "--queue", "beside", "--json", *options)
            assert done.code == 1, done.both
            return [json.loads(line) for line in done.out.splitlines()]

        *each, sums = said()
        assert [one["outcome"] for one in each] == ["acked", "acked", "dead"]
        assert all(one["correlation_id"] for one in each)
        assert {name: own.misbehave.calls[name] for name in WRITES if own.misbehave.calls[name]} == {}
        assert (sums["sums"]["same"], sums["sums"]["differ"], sums["sums"]["dead"]) == (0, 2, 1)
        assert {"task": "store_dataset", "change": "new", "things": 4} in sums["sums"]["writes"]

        assert site.pacer("run", "--once", "-c", config).code == 1  # the other program does its work
        one, sums = said("--differences")
        assert one["failure"]["reason"] == "the body is not JSON: line 1, column 83"
        assert (sums["sums"]["same"], sums["sums"]["differ"], sums["sums"]["dead"]) == (2, 0, 1)

        few = site.pacer("plan", "-c", beside, "--queue", "beside", "--limit", "1", "-d")
        assert few.code == 0
        assert "the first 1 of 3 in beside" in few.err
        assert few.out.splitlines()[:2] == [
            "1 message:",
            "  1 would change nothing: all is there as PACER would leave it",
        ]


def test_a_queue_or_files_are_planned_and_not_both(facility: Site) -> None:
    for arguments in ((), ("--queue", "datasets", MESSAGES / "dataset-alba.json")):
        done = plan(facility, "datasets", *arguments)
        assert (done.code, "name files, or a queue" in done.err) == (2, True)
