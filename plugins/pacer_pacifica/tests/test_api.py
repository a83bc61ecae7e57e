"""PACER's own API: jobs listed, one with its stages, its events, another attempt, and the description."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from pacer_pacifica.jobs import INGEST_FILES, INGEST_METADATA, OPEN_TAR
from pacer_pacifica.service import api, pacifica, tus
from pacer_pacifica.service.openapi import description
from plugins.pacer_pacifica.tests.door import Door, until

Start = Callable[..., Door]


def upload(door: Door, count: int = 1) -> None:
    """Upload some bundles."""
    for _ in range(count):
        assert door.client.post("/upload", content=b"x").status_code == 200


def checked(name: str, instance: Any) -> Any:
    """Give an answer that is as its description says."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": description()["components"]}
    jsonschema.validate(instance, schema, format_checker=jsonschema.FormatChecker())
    return instance


def test_jobs_are_listed_the_newest_first_page_by_page(door: Door) -> None:
    upload(door, 5)
    first = door.client.get("/api/v1/jobs?limit=2").json()
    assert [checked("Job", one)["id"] for one in first["jobs"]] == [5, 4]
    second = door.client.get(f"/api/v1/jobs?limit=2&before={first['before']}").json()
    assert [one["id"] for one in second["jobs"]] == [3, 2]
    last = door.client.get(f"/api/v1/jobs?limit=2&before={second['before']}").json()
    assert ([one["id"] for one in last["jobs"]], last["before"]) == ([1], None)


def test_jobs_are_filtered_by_what_became_of_them(door: Door) -> None:
    upload(door, 5)
    door.client.post("/move", json=[])
    jobs = door.jobs
    jobs.begin(2, 1, OPEN_TAR)
    jobs.begin(3, 1, INGEST_METADATA)
    jobs.finish(3, 1)
    jobs.fail(4, 1, OPEN_TAR, "no tar")
    jobs.cancel(5, "alice")

    def listed(query: str) -> list[int]:
        return [one["id"] for one in door.client.get(f"/api/v1/jobs?{query}").json()["jobs"]]

    assert listed("status=waiting") == [6, 1]
    assert (listed("status=working"), listed("status=done")) == ([2], [3])
    assert (listed("status=failed"), listed("status=cancelled")) == ([4], [5])
    assert (listed("kind=move"), listed("user=alice&limit=1")) == ([6], [6])


@pytest.mark.parametrize("query", ["status=well", "limit=0", "limit=1001", "limit=many", "before=-1"])
def test_a_query_that_makes_no_sense_is_said_to(door: Door, query: str) -> None:
    answer = door.client.get(f"/api/v1/jobs?{query}")
    assert answer.headers["content-type"] == "application/problem+json"
    assert checked("Problem", answer.json())["status"] == answer.status_code == 400


def test_a_job_is_given_with_the_stages_of_all_its_attempts(door: Door) -> None:
    upload(door)
    jobs = door.jobs
    jobs.begin(1, 1, OPEN_TAR)
    jobs.begin(1, 1, INGEST_FILES)
    jobs.wait(1, 1, INGEST_FILES, "the archive is away")
    job = door.client.get("/api/v1/jobs/1").json()
    assert (job["status"], job["waits_for"]) == ("working", "the archive is away")
    jobs.begin(1, 1, INGEST_FILES)
    jobs.fail(1, 1, INGEST_FILES, "a hash is wrong")
    jobs.retry(1)
    jobs.begin(1, 2, OPEN_TAR)
    job = door.client.get("/api/v1/jobs/1").json()
    stages = [checked("Stage", one) for one in job.pop("stages")]
    assert checked("Job", job)["attempt"] == 2
    assert [
        (one["attempt"], one["task"], one["percent"], one["tries"], one["exception"]) for one in stages
    ] == [
        (1, "open tar", 100.0, 1, ""),
        (1, "ingest files", 0.0, 2, "a hash is wrong"),
        (2, "open tar", 0.0, 1, ""),
    ]
    assert all(one["ended"] for one in stages[:2])
    assert stages[2]["ended"] is None


def test_a_failed_job_is_tried_again_by_another_message(door: Door) -> None:
    upload(door)
    until(lambda: door.service.published)
    assert door.client.post("/api/v1/jobs/1/retry").status_code == 409
    door.jobs.fail(1, 1, OPEN_TAR, "no tar")
    job = checked("Job", door.client.post("/api/v1/jobs/1/retry").json())
    assert (job["status"], job["attempt"], job["exception"]) == ("waiting", 2, "")
    until(lambda: len(door.service.published) == 2)
    first, second = door.service.published
    assert json.loads(second.body) == {**json.loads(first.body), "attempt": 2}
    assert second.message_id == "pacifica-1-2"


def test_a_job_whose_bundle_is_gone_is_not_tried_again(door: Door) -> None:
    upload(door)
    door.jobs.fail(1, 1, OPEN_TAR, "no tar")
    (door.spool / door.files()[0]).unlink()
    answer = door.client.post("/api/v1/jobs/1/retry")
    assert (answer.status_code, "upload it again" in answer.json()["detail"]) == (409, True)


def test_a_cancelled_job_stops_whoever_works_on_it(door: Door) -> None:
    upload(door)
    door.jobs.begin(1, 1, OPEN_TAR)
    job = checked("Job", door.client.post("/api/v1/jobs/1/cancel").json())
    assert (job["status"], job["exception"]) == ("cancelled", "cancelled by alice")
    state = door.client.get("/get_state?job_id=1").json()
    assert (state["state"], state["complete"]) == ("FAILED", True)
    with pytest.raises(Exception, match="job 1 is cancelled"):
        door.jobs.progress(1, 1, OPEN_TAR, 50)
    assert door.client.post("/api/v1/jobs/1/cancel").status_code == 409
    assert door.client.post("/api/v1/jobs/1/retry").json()["status"] == "waiting"


def test_a_job_that_nobody_has_published_yet_is_cancelled_without_a_message(
    tmp_path: Path, start: Start
) -> None:
    gate = threading.Event()
    door = start(broker=lambda _: gate.wait(30))
    upload(door, 2)
    assert door.client.post("/api/v1/jobs/2/cancel").json()["status"] == "cancelled"
    gate.set()
    until(lambda: door.service.published)
    upload(door)
    until(lambda: len(door.service.published) > 1)
    ids = [json.loads(one.body)["job_id"] for one in door.service.published]
    assert ids in ([1, 3], [1, 2, 3])  # the second where the outbox had been read before


def events(door: Door, headers: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """Read the events of the first job to their end."""
    found = []
    with (
        httpx.Client(base_url=door.url, headers=door.client.headers, timeout=60) as client,
        client.stream("GET", "/api/v1/jobs/1/events", headers=headers or {}) as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        event: dict[str, str] = {}
        for line in stream.iter_lines():
            if line.startswith(":"):
                continue
            if not line:
                found.append({**checked("Job", json.loads(event["data"])), "event": event["id"]})
                event = {}
                continue
            name, _, value = line.partition(": ")
            event[name] = value
    return found


def test_events_tell_of_a_job_until_it_has_ended(door: Door) -> None:
    upload(door)
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.extend(events(door)))
    thread.start()
    jobs = door.jobs
    jobs.begin(1, 1, OPEN_TAR)
    jobs.begin(1, 1, INGEST_METADATA)
    jobs.finish(1, 1)
    thread.join(60)
    assert (found[-1]["status"], found[-1]["percent"]) == ("done", 100.0)
    revisions = [int(one["event"]) for one in found]
    assert revisions == sorted(set(revisions))


def test_events_begin_behind_the_last_one_that_was_seen(door: Door) -> None:
    upload(door)
    door.jobs.fail(1, 1, OPEN_TAR, "no tar")
    (last,) = events(door)
    assert last["exception"] == "no tar"
    assert events(door, {"Last-Event-ID": last["event"]}) == []


def test_events_do_not_keep_the_service_from_ending(door: Door) -> None:
    upload(door)
    found: list[Any] = []
    with (
        httpx.Client(base_url=door.url, headers=door.client.headers, timeout=60) as client,
        client.stream("GET", "/api/v1/jobs/1/events") as stream,
    ):
        lines = stream.iter_lines()
        found.append(next(lines))
        door.end()
        found.extend(lines)
    assert found[0] == "id: 1"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/jobs/{'9' * 5000}", 404),
        (f"/jobs/{'9' * 19}", 404),
        (f"/jobs?limit={'9' * 5000}", 400),
        (f"/jobs?before={'9' * 5000}", 400),
        ("/jobs?kind=%00", 400),
    ],
)
def test_numbers_and_words_that_no_database_has_are_refused(door: Door, path: str, status: int) -> None:
    assert door.client.get(f"/api/v1{path}").status_code == status


def test_an_event_of_a_number_that_is_none_is_none_that_was_seen(door: Door) -> None:
    upload(door)
    door.client.post("/api/v1/jobs/1/cancel")
    assert len(events(door, {"Last-Event-ID": "9" * 5000})) == 1


def test_the_description_names_every_path_and_method_and_no_other() -> None:
    described = {
        (path, method.upper())
        for path, item in description()["paths"].items()
        for method in item
        if method != "parameters"
    }
    served = {
        (route.path.replace(":job", ""), method)
        for route in (*pacifica.ROUTES, *api.ROUTES, *tus.ROUTES)
        for method in (route.methods or ())
        if method != "HEAD" or route.methods == {"HEAD"}
    }
    assert described == served


def test_the_description_is_valid_and_given_to_anybody(door: Door) -> None:
    found = door.client.get("/api/v1/openapi.json", headers={"Authorization": ""}).json()
    assert found == json.loads(json.dumps(description()))
    assert found["openapi"] == "3.1.0"
    for schema in found["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    names = [
        operation["operationId"]
        for item in found["paths"].values()
        for operation in item.values()
        if isinstance(operation, dict)
    ]
    assert len(set(names)) == len(names)


def test_answers_of_pacificas_protocol_are_as_described(door: Door) -> None:
    upload(door)
    checked("PacificaJob", door.client.get("/get_state?job_id=1").json())
    checked("PacificaJob", door.client.get("/get_state?job_id=0").json())
    checked("PacificaError", door.client.get("/get_state").json())
