"""Who may come in, and what they see."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pacer_core import PacerError, Secret
from pacer_pacifica.service import ServiceOptions
from pacer_pacifica.service.options import Authentication, Proxy, Tls, Token
from plugins.pacer_pacifica.tests.door import Door, until
from tests.support import Site

Start = Callable[..., Door]
NOBODY = {"Authorization": ""}


def user_of(door: Door, headers: dict[str, str]) -> object:
    """Upload something; give the job's user, or the status of the answer."""
    answer = door.client.post("/upload", content=b"x", headers={**NOBODY, **headers})
    return door.jobs.get(answer.json()["job_id"]).user if answer.status_code == 200 else answer.status_code


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic YWxpY2U6YWxpY2Vz"},
        {"Authorization": "alices-token"},
        {"X-Http-Authed-User": "alice"},
    ],
)
def test_whoever_is_not_known_gets_nowhere(door: Door, headers: dict[str, str]) -> None:
    given = {**NOBODY, **headers}
    for method, path in [
        ("POST", "/upload"),
        ("POST", "/ingest"),
        ("POST", "/move"),
        ("GET", "/get_state?job_id=1"),
        ("GET", "/api/v1/jobs"),
        ("GET", "/api/v1/jobs/1"),
        ("GET", "/api/v1/jobs/1/events"),
        ("POST", "/api/v1/jobs/1/cancel"),
        ("POST", "/api/v1/jobs/1/retry"),
    ]:
        answer = door.client.request(method, path, headers=given)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    for method in ("HEAD", "PATCH", "DELETE"):
        answer = door.client.request(method, "/api/v1/uploads/x", headers={**given, "Tus-Resumable": "1.0.0"})
        assert answer.status_code == 401
    assert door.files() == []


def test_the_header_of_a_proxy_is_believed_from_its_address_alone(start: Start) -> None:
    door = start(authentication=Authentication(proxy=Proxy(("127.0.0.0/8",))))
    assert user_of(door, {"X-Http-Authed-User": "carol"}) == "carol"
    assert user_of(door, {}) == 401


def test_the_header_of_anybody_else_is_not_believed(start: Start) -> None:
    door = start(authentication=Authentication(proxy=Proxy(("10.0.0.1", "2001:db8::/32"))))
    assert user_of(door, {"X-Http-Authed-User": "carol"}) == 401
    assert user_of(door, {"X-Http-Authed-User": "carol", "X-Forwarded-For": "10.0.0.1"}) == 401


def test_a_header_that_names_two_users_is_refused(start: Start) -> None:
    door = start(authentication=Authentication(proxy=Proxy(("127.0.0.1",), "X-Remote-User")))
    headers = [("X-Remote-User", "carol"), ("X-Remote-User", "root"), ("Authorization", "")]
    assert door.client.post("/upload", content=b"x", headers=headers).status_code == 400


def test_nobody_is_somebody_on_this_host_where_the_options_say_so(start: Start) -> None:
    door = start(authentication=Authentication(anonymous="here"))
    assert user_of(door, {}) == "here"
    # a proxy on this host, for anybody
    for header in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP", "X-Forwarded-Host"):
        assert user_of(door, {header: "192.0.2.1"}) == 401
    assert user_of(door, {"Host": f"LOCALHOST:{door.port}"}) == "here"
    assert user_of(door, {"Host": f"[::1]:{door.port}"}) == "here"


def test_pages_in_a_browser_of_this_host_and_names_of_other_hosts_are_nobody(start: Start) -> None:
    door = start(authentication=Authentication(anonymous="here", administrators=("here",)))
    assert user_of(door, {"Origin": "https://evil.example"}) == 401
    assert user_of(door, {"Sec-Fetch-Site": "cross-site"}) == 401
    for host in ("evil.example", "evil.example:8066", "ingest.example.org", "127.0.0.1.evil.example"):
        assert user_of(door, {"Host": host}) == 401


@pytest.mark.parametrize("token", ["", " ", "\n"])
def test_a_token_that_is_empty_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="is empty"):
        Token("alice", Secret(token))


def test_somebody_elses_job_looks_as_if_there_were_none(start: Start) -> None:
    door = start()
    door.client.post("/upload", content=b"x")
    bob = {"Authorization": "Bearer bobs-token"}
    assert door.client.get("/get_state?job_id=1", headers=bob).status_code == 404
    for method, path in [("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("POST", "/retry")]:
        answer = door.client.request(method, f"/api/v1/jobs/1{path}", headers=bob)
        assert (answer.status_code, answer.json()["detail"]) == (404, "there is no job 1")
    assert door.client.get("/api/v1/jobs", headers=bob).json()["jobs"] == []
    assert door.client.get("/api/v1/jobs?user=alice", headers=bob).status_code == 403
    root = {"Authorization": "Bearer roots-token"}
    assert door.client.get("/get_state?job_id=1", headers=root).status_code == 200
    (job,) = door.client.get("/api/v1/jobs?user=alice", headers=root).json()["jobs"]
    assert job["id"] == 1


def test_no_token_is_ever_in_an_answer_or_a_message(door: Door) -> None:
    door.client.post("/upload", content=b"x")
    until(lambda: door.service.published)
    said = door.client.get("/api/v1/jobs").text + door.client.get("/api/v1/openapi.json").text
    assert "alices-token" not in said + str(door.service.published)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"authentication": {}}, "lets nobody in"),
        ({"authentication": {"anonymous": "root"}, "host": "0.0.0.0"}, "anonymous is for loopback"),
        ({"authentication": {"proxy": {"addresses": []}}}, "names no address"),
        ({"authentication": {"proxy": {"addresses": ["proxy.example"]}}}, "addresses or networks"),
        (
            {"authentication": {"anonymous": "root", "proxy": {"addresses": ["127.0.0.1"]}}},
            "through the proxy on this host",
        ),
        ({"database": "postgresql://pacer:secret@db/pacer"}, "holds a password"),
        ({"database": "jobs.sqlite"}, "whole path"),
        ({"spool": "spool"}, "whole path"),
        ({"limits": {"size": "many"}}, "should be a size"),
    ],
)
def test_options_that_are_wrong_are_said_with_their_place(
    site: Site, options: dict[str, Any], said: str
) -> None:
    given = {
        "spool": "/data/spool",
        "bundles": "inbox",
        "authentication": {"tokens": [{"user": "alice", "token": "alices-token"}]},
        **options,
    }
    text = f"""
        brokers: {{main: {{host: localhost}}}}
        queues: [{{name: inbox}}]
        services:
          - {{type: pacifica, options: {json.dumps(given)}}}
    """
    ran = site.pacer("config", "check", "-c", site.write(text))
    assert ran.code == 1
    assert said in ran.out
    assert "pacer.yaml:5:" in ran.out


def test_a_certificate_that_is_not_there_is_said_and_nobody_is_kept_waiting(start: Start) -> None:
    with pytest.raises(PacerError, match="correct the option 'tls'"):
        start(tls=Tls("/nowhere/cert.pem", "/nowhere/key.pem"))


def test_options_hide_their_secrets() -> None:
    options = ServiceOptions(
        "/data/spool", "inbox", Authentication(tokens=(Token("alice", Secret("alices-token")),))
    )
    assert "alices-token" not in repr(options)
