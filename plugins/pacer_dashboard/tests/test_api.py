"""The API as a whole: its description is true, and nothing that is thrown at it breaks it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client, override_settings
from django.utils.html import escape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pacer_dashboard import testing
from pacer_dashboard.api.application import schema
from pacer_dashboard.place import Place
from pacer_dashboard.query import listing
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.viewer import EVERYTHING
from pacer_dashboard.records import read
from pacer_dashboard.start import prepare

SCHEMA = schema()
OPERATIONS = [(path, method) for path, methods in SCHEMA["paths"].items() for method in methods]
ODD = st.sampled_from([
    "", "0", "-1", "\0", "a\0b", "%", "'", '"', "\\", "*", "a=b", "=", "é", "\ud800", "x" * 300,
    "9" * 30, "1e9", "nan", "2026-02-30", "2026-01-01", "0001-01-01", "9999-12-31",
    "type=users", "2026-01-01T00:00:00+99:00",
    "2026-01-01T00:00:00Z", "yes", "../..", "\r\nX: y",
])  # fmt: skip


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, new_place: Callable[[str, str], Place]) -> Place:
    """Give a database for all tests here: what one leaves behind is nothing to another."""
    made = new_place(request.param, "filled")
    prepare(made)
    User.objects.create_superuser("ada")
    return made


@pytest.fixture
def client(place: Place, testserver: None) -> Iterator[Client]:
    prepare(place)
    made = Client()
    made.force_login(User.objects.get())
    yield made
    connections.close_all()


def resolved(part: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = part.get("$ref")
    return SCHEMA["components"]["schemas"][reference.rpartition("/")[2]] if reference else part


def values(part: Mapping[str, Any], known: list[str]) -> st.SearchStrategy[Any]:
    """Give values for a part of the description, mostly of its kind, sometimes not."""
    part = resolved(part)
    odd = ODD | st.text(max_size=20) | st.sampled_from(known)
    if "enum" in part:
        return st.sampled_from(part["enum"]) | odd
    if "const" in part:
        return st.just(part["const"]) | odd
    if "anyOf" in part:
        return st.one_of(*(values(one, known) for one in part["anyOf"] if one.get("type") != "null"))
    match part.get("type"):
        case "integer":
            return st.integers(-(10**25), 10**25) | st.integers(0, 1000) | odd
        case "number":
            return st.floats() | odd
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(values(part.get("items", {}), known), max_size=3)
        case "object":
            return body(part, known)
    return odd


def body(part: Mapping[str, Any], known: list[str]) -> st.SearchStrategy[Any]:
    part = resolved(part)
    fields = {name: values(one, known) for name, one in part.get("properties", {}).items()}
    needed = {name: fields.pop(name) for name in part.get("required", ()) if name in fields}
    return st.fixed_dictionaries(needed, optional=fields) | st.dictionaries(
        st.text(max_size=5), ODD, max_size=2
    )


def call(client: Client, path: str, method: str, said: Mapping[str, Any], body_: Any) -> Any:
    operation = SCHEMA["paths"][path][method]
    query: list[tuple[str, str]] = []
    for parameter in operation.get("parameters", ()):
        value = said.get(parameter["name"])
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", quote(text(value), safe="") or "x")
        elif value is not None:
            query += [
                (parameter["name"], text(one)) for one in (value if isinstance(value, list) else [value])
            ]
    url = path + ("?" + urlencode(query) if query else "")
    if method == "get":
        return client.get(url)
    return client.generic(method.upper(), url, json.dumps(body_), content_type="application/json")


def text(value: Any) -> str:
    return str(value).encode("utf-8", "replace").decode()


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_whatever_is_thrown_at_the_api_it_answers_as_it_says(client: Client, path: str, method: str) -> None:
    """No answer is a failure of ours, a mistake is a problem, and an answer is what its description says."""
    operation = SCHEMA["paths"][path][method]
    rows = list(listing.walk(EVERYTHING, Filter()))[:5]
    known = [
        rows[0].correlation_id,
        str(listing.Cursor(rows[1].arrived, rows[1].correlation_id)),
        "1",
        "dead",
    ]
    parameters = operation.get("parameters", ())
    needed = {one["name"]: values(one["schema"], known) for one in parameters if one.get("required")}
    others = {one["name"]: values(one["schema"], known) for one in parameters if not one.get("required")}
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    good = operation["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema")
    validator = Draft202012Validator({**good, "components": SCHEMA["components"]}) if good else None

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        said=st.fixed_dictionaries(needed, optional=dict(others)),
        few=st.sets(st.sampled_from(sorted(others)), max_size=2) if others else st.just(set()),
        body_=body(content, known) if content else st.none(),
    )
    def attack(said: dict[str, Any], few: set[str], body_: Any) -> None:
        said = {name: value for name, value in said.items() if name in needed or name in few}
        answer = call(client, path, method, said, body_)
        assert answer.status_code < 500, answer.content
        if answer.status_code >= 400:
            assert answer["Content-Type"] == "application/problem+json"
            assert answer.json()["status"] == answer.status_code
        elif validator and answer["Content-Type"].startswith("application/json"):
            validator.validate(answer.json())

    attack()


def test_the_description_that_everybody_may_read_is_made_once() -> None:
    assert schema() is schema()


def test_a_parameter_that_is_not_known_is_a_mistake_and_not_more_than_was_asked_for(client: Client) -> None:
    answer = client.get("/api/v1/messages?instrumnet=ID01")
    assert (answer.status_code, answer.json()["parameter"]) == (400, "instrumnet")


def test_what_is_not_there_is_a_problem_as_well(client: Client) -> None:
    answer = client.get("/api/v1/nothing")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    answer = client.delete("/api/v1/messages")
    assert (answer.status_code, answer["Allow"]) == (405, "GET")
    assert answer.json()["title"] == "Method not allowed"


def test_more_fields_than_any_call_needs_are_a_mistake_of_who_sends_them(client: Client) -> None:
    many = urlencode([("type", "x")] * 1001)
    body_ = {"selection": {"filter": many}}
    for answer in (
        client.get(f"/api/v1/messages?{many}"),
        client.post("/api/v1/again/preview", body_, content_type="application/json"),
    ):
        assert (answer.status_code, answer.json()["status"]) == (400, 400)


def test_that_the_database_is_away_is_said_as_that(empty: Place, testserver: None) -> None:
    client = Client(raise_request_exception=False)
    client.cookies["pacer_session"] = "x" * 32
    connections.close_all()
    assert empty.folder is not None
    empty.folder.rename(empty.folder.with_name("away"))
    with override_settings(PACER_PUBLIC_COUNTS=True):
        for path in ("/", "/api/v1/me", "/api/v1/counts"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10"), path
            assert ("problem+json" in answer.headers["Content-Type"]) == path.startswith("/api/")


def test_what_changes_something_needs_the_page_it_comes_from_unless_a_token_is_shown(client: Client) -> None:
    posts = [path for path, method in OPERATIONS if method == "post" and "{" not in path]
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get())
    for path in posts:
        answer = strict.post(path, "{}", content_type="application/json")
        assert answer.status_code == 403, path
        assert answer["Content-Type"] == "application/problem+json"


def test_pages_follow_each_other_without_a_gap_or_a_repetition(client: Client) -> None:
    whole = [row.correlation_id for row in listing.walk(EVERYTHING, Filter())]
    found: list[str] = []
    url = "/api/v1/messages?size=33"
    while url:
        answer = client.get(url).json()
        found += [row["correlation_id"] for row in answer["rows"]]
        url = f"/api/v1/messages?size=33&after={answer['older']}" if answer["older"] else ""
    assert found == whole


def test_the_difference_of_two_sights_is_that_of_the_page(client: Client) -> None:
    from pacer_dashboard import store

    body = next(
        one for one in testing.bodies(40) if b'"dataset-ingestion"' in one and b"pacer.delivery" in one
    )
    record = json.loads(body) | {"correlation_id": "two sights", "outcome": "retried", "origin": None}
    payloads = ['{"sample": "quartz", "n": 1}', '{"sample": "<nickel>", "n": 1}']
    changed = [{"id": f"sight {at}", "attempt": at + 1, "payload": one} for at, one in enumerate(payloads)]
    store.store([read(json.dumps(record | one).encode()) for one in changed])
    asked = {"id": "two sights", "a": "sight 0", "b": "sight 1"}
    found = client.get("/api/v1/difference", asked).json()
    assert (found["left"], found["right"], found["cut"]) == (
        "datasets, attempt 1",
        "datasets, attempt 2",
        False,
    )
    assert [(one["kind"], one["text"].strip(), one["old"], one["new"]) for one in found["lines"]] == [
        ("same", "{", 1, 1),
        ("minus", '"sample": "quartz",', 2, None),
        ("plus", '"sample": "<nickel>",', None, 2),
        ("same", '"n": 1', 3, 3),
        ("same", "}", 4, 4),
    ]
    page = client.get("/messages/", asked).content.decode()
    assert all(escape(one["text"]) in page for one in found["lines"])
    assert client.get("/api/v1/difference", asked | {"b": "sight 0"}).json()["lines"] == []
    assert client.get("/api/v1/difference", asked | {"b": "sight 2"}).status_code == 404
