"""The client against a server on loopback that misbehaves."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import logging
import subprocess
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from pacer_core import NotYet, PacerError, Reject, Retry, Secret
from pacer_http import (
    Answer,
    Away,
    Conflict,
    Forbidden,
    HttpClient,
    HttpProblem,
    Missing,
    Refused,
    is_away,
    is_url,
    segment,
)
from pacer_http.client import seconds_of
from pacer_http.testing import CUT, DRIPS, HTML, LATE, LOST, RESET, Reply, Request, StandIn, refusal
from tests.services.base import program
from tests.services.fixtures import skip_without_program

SOON = timedelta(seconds=20)


def echo(request: Request) -> Reply:
    """Answer with what was asked."""
    return Reply(
        {
            "method": request.method,
            "path": request.path,
            "query": dict(request.query),
            "sent": len(request.body),
        }
    )


@pytest.fixture
def service() -> Iterator[StandIn]:
    """A service that echoes."""
    with StandIn(echo) as service:
        yield service


@pytest.fixture
def http(service: StandIn) -> Iterator[HttpClient]:
    """A client that does not wait between its tries."""
    with HttpClient("echo", service.url, timeout=SOON, delays=(0, 0)) as http:
        yield http


def test_an_answer_has_status_headers_and_json(http: HttpClient, service: StandIn) -> None:
    answer = http.request("GET", "/some/where", params={"limit": 3})

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.entries() == {"method": "GET", "path": "/some/where", "query": {"limit": "3"}, "sent": 0}


def test_what_is_sent_as_json_arrives_as_json(http: HttpClient, service: StandIn) -> None:
    http.request("POST", "/", json={"name": "Bragg ü"})

    assert service.requests[0].json() == {"name": "Bragg ü"}
    assert service.requests[0].headers["content-type"] == "application/json"


def test_what_is_no_number_is_not_sent(http: HttpClient, service: StandIn) -> None:
    with pytest.raises(ValueError, match="JSON"):
        http.request("POST", "/", json={"value": float("nan")})
    assert service.requests == []


@pytest.mark.parametrize("name", ["10.5072/es-1", "a b", "50%", "ü?#", "a/../b"])
def test_a_name_stays_one_segment_of_the_path(http: HttpClient, service: StandIn, name: str) -> None:
    http.request("GET", f"/items/{segment(name)}")

    assert service.requests[0].path.count("/") == 2
    assert service.requests[0].path == f"/items/{segment(name)}"


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_mean_another_path_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="segment"):
        segment(name)


@pytest.mark.parametrize(
    ("status", "raised", "signal"),
    [
        (400, Refused, Reject),
        (401, Away, Retry),
        (403, Forbidden, Retry),
        (404, Missing, NotYet),
        (408, Away, Retry),
        (409, Conflict, Reject),
        (410, Missing, NotYet),
        (412, Conflict, Reject),
        (413, Refused, Reject),
        (414, Refused, Reject),
        (422, Refused, Reject),
        (402, Away, Retry),
        (405, Away, Retry),
        (406, Away, Retry),
        (407, Away, Retry),
        (415, Away, Retry),
        (421, Away, Retry),
        (423, Away, Retry),
        (426, Away, Retry),
        (431, Away, Retry),
        (451, Away, Retry),
        (499, Away, Retry),
        (425, Away, Retry),
        (429, Away, Retry),
        (500, Away, Retry),
        (503, Away, Retry),
        (507, Away, Retry),
        (302, Away, Retry),
    ],
)
def test_a_status_that_is_not_expected_says_what_happens_to_the_message(
    http: HttpClient, service: StandIn, status: int, raised: type[Exception], signal: type[Exception]
) -> None:
    service.fail(*[refusal(status, {"Location": "/elsewhere"}, b"about Ada Lovelace")] * 3)

    with pytest.raises(raised) as caught:
        http.request("GET", "/x")
    assert isinstance(caught.value, signal)
    assert isinstance(caught.value, HttpProblem)
    assert caught.value.status == status
    assert "echo: GET /x" in str(caught.value)
    assert str(status) in str(caught.value)
    assert "Ada" not in str(caught.value)
    assert "Ada" not in repr(caught.value.answer)


def test_a_status_that_is_expected_is_returned(http: HttpClient, service: StandIn) -> None:
    service.fail(refusal(404))
    assert http.request("GET", "/x", expect=(200, 404)).status == 404


def test_only_what_says_away_is_away(http: HttpClient, service: StandIn) -> None:
    assert is_away(Away("x"))
    assert not any(map(is_away, (Forbidden("x"), Missing("x"), Conflict("x"), Refused("x"), OSError())))


@pytest.mark.parametrize("fault", [RESET, LOST, CUT, refusal(429), refusal(500), refusal(503)])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_what_passes_is_tried_again(http: HttpClient, service: StandIn, fault: Any, method: str) -> None:
    service.fail(fault, fault)

    assert http.request(method, "/x").status == 200
    assert len(service.requests) == 3


@pytest.mark.parametrize("fault", [RESET, LOST, CUT, refusal(429), refusal(500)])
def test_what_passes_is_tried_three_times(http: HttpClient, service: StandIn, fault: Any) -> None:
    service.fail(*[fault] * 5)

    with pytest.raises(Away):
        http.request("GET", "/x")
    assert len(service.requests) == 3


@pytest.mark.parametrize("fault", [RESET, LOST, CUT, refusal(429), refusal(500)])
def test_what_must_not_happen_twice_is_not_sent_twice(http: HttpClient, service: StandIn, fault: Any) -> None:
    service.fail(fault)

    with pytest.raises(Away):
        http.request("POST", "/x", json={})
    assert len(service.requests) == 1


def test_a_post_that_may_be_repeated_is(http: HttpClient, service: StandIn) -> None:
    service.fail(LOST)

    assert http.request("POST", "/x", json={}, repeatable=True).status == 200
    assert len(service.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_what_does_not_pass_is_not_tried_again(http: HttpClient, service: StandIn, status: int) -> None:
    service.fail(refusal(status))

    with pytest.raises(PacerError):
        http.request("GET", "/x")
    assert len(service.requests) == 1


def test_an_answer_that_comes_too_late_is_given_up(service: StandIn) -> None:
    service.fail(LATE)
    with (
        HttpClient("echo", service.url, timeout=timedelta(milliseconds=200), delays=()) as http,
        pytest.raises(Away, match=r"not answered within 0\.2 s"),
    ):
        http.request("GET", "/x")


def test_an_answer_that_drips_in_is_given_up(service: StandIn) -> None:
    service.fail(DRIPS)
    with (
        HttpClient("echo", service.url, timeout=timedelta(milliseconds=500), delays=()) as http,
        pytest.raises(Away, match=r"not answered within 0\.5 s"),
    ):
        http.request("GET", "/x")


def test_a_service_that_is_not_there_is_away() -> None:
    with StandIn(echo) as gone:
        url = gone.url
    with (
        HttpClient("echo", url, timeout=SOON, delays=(0,)) as http,
        pytest.raises(Away, match="nobody answers") as caught,
    ):
        http.request("POST", "/x")
    assert caught.value.status is None


def test_a_page_instead_of_json_is_away(http: HttpClient, service: StandIn) -> None:
    service.fail(HTML)

    with pytest.raises(Away, match=r"no JSON \(text/html\)"):
        http.request("GET", "/x").json()


def test_json_that_is_no_object_is_away() -> None:
    with pytest.raises(Away, match="no JSON object"):
        Answer(200, b"[1]", what="x").entries()


def test_the_time_that_a_service_names_becomes_the_delay(http: HttpClient, service: StandIn) -> None:
    service.fail(refusal(429, {"Retry-After": "120"}))

    with pytest.raises(Away) as caught:
        http.request("GET", "/x")
    assert caught.value.after == 120
    assert len(service.requests) == 1


def test_a_service_that_names_a_time_is_left_alone_until_then(http: HttpClient, service: StandIn) -> None:
    service.fail(refusal(503, {"Retry-After": "120"}))
    with pytest.raises(Away):
        http.request("GET", "/x")

    with pytest.raises(Away, match="left alone") as caught:
        http.request("GET", "/y")
    assert caught.value.after is not None
    assert 0 < caught.value.after <= 120
    assert len(service.requests) == 1


def test_a_short_time_is_waited_for(http: HttpClient, service: StandIn) -> None:
    service.fail(refusal(429, {"Retry-After": "0.05"}))

    assert http.request("GET", "/x").status == 200
    assert len(service.requests) == 2


def test_a_time_may_be_given_as_a_date_and_is_never_absurd() -> None:
    in_an_hour = datetime.now(UTC) + dt.timedelta(hours=1)

    assert 3500 < (seconds_of(format_datetime(in_an_hour, usegmt=True)) or 0) <= 3600
    assert seconds_of("-5") == 0
    assert seconds_of("1e300") == 3600
    assert seconds_of("nan") is None
    assert seconds_of("soon") is None
    assert seconds_of(None) is None


def test_an_account_goes_along_and_shows_nowhere(service: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    password = Secret("open sesame")
    service.fail(refusal(401))
    with HttpClient("echo", service.url, timeout=SOON, account=("pacer", password)) as http:
        with pytest.raises(Away, match="expired") as caught:
            http.request("GET", f"/{segment(password.reveal())}")
        shown = f"{caught.value!r} {caught.value} {vars(http)} {caplog.text}"

    sent = service.requests[0].headers["authorization"]
    assert sent == "Basic " + base64.b64encode(b"pacer:open sesame").decode()
    assert "sesame" not in str(caught.value)
    assert sent not in shown


def test_a_token_goes_along(service: StandIn) -> None:
    with HttpClient("echo", service.url, timeout=SOON, authorization=("ApiKey", Secret("k3y"))) as http:
        http.request("GET", "/x")
    assert service.requests[0].headers["authorization"] == "ApiKey k3y"


def test_a_request_may_have_headers_of_its_own(http: HttpClient, service: StandIn) -> None:
    http.request("GET", "/coins", headers={"Authorization": "Bearer of-the-moment"})
    http.request("GET", "/coins")
    assert [request.headers.get("authorization") for request in service.requests] == [
        "Bearer of-the-moment",
        None,
    ]


def test_a_header_of_a_request_takes_the_place_of_the_clients_however_it_is_spelled(
    http: HttpClient, service: StandIn
) -> None:
    http.request("GET", "/", headers={"ACCEPT": "text/plain"})
    assert service.requests[0].headers["accept"] == "text/plain"


def test_a_proxy_that_the_environment_names_is_used_but_for_what_is_excepted(
    service: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", service.url.replace("//", "//me:own@"))
    with HttpClient("far", "http://far.example.org/api", timeout=SOON, delays=()) as http:
        assert http.request("GET", "/x").entries()["path"] == "/api/x"
    assert service.requests[0].headers["host"] == "far.example.org"
    assert "proxy-authorization" in service.requests[0].headers
    monkeypatch.setenv("no_proxy", "example.org")
    with HttpClient("far", "http://far.example.org", timeout=SOON, delays=()) as http, pytest.raises(Away):
        http.request("GET", "/x")
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1")
    monkeypatch.delenv("http_proxy")
    with pytest.raises(PacerError, match="no http:// address"):
        HttpClient("near", "http://near.example.com", timeout=SOON)


def test_no_cookie_is_kept() -> None:
    with (
        StandIn(lambda _: Reply({}, headers={"Set-Cookie": "session=1"})) as service,
        HttpClient("echo", service.url, timeout=SOON) as http,
    ):
        http.request("GET", "/")
        http.request("GET", "/")
        assert "cookie" not in service.requests[1].headers


@pytest.mark.parametrize("how", ["gzip", "deflate"])
def test_an_answer_that_is_packed_is_unpacked_and_one_that_is_damaged_is_away(how: str) -> None:
    packed = gzip.compress(b'{"a": 1}') if how == "gzip" else zlib.compress(b'{"a": 1}')
    said = [packed, b"?" + packed[1:]]
    with (
        StandIn(lambda _: Reply(said.pop(0), headers={"Content-Encoding": how})) as service,
        HttpClient("echo", service.url, timeout=SOON, delays=()) as http,
    ):
        assert http.request("GET", "/").json() == {"a": 1}
        assert service.requests[0].headers["accept-encoding"] == "gzip, deflate"
        with pytest.raises(Away, match="cut off"):
            http.request("GET", "/")


@pytest.mark.parametrize(
    ("path", "params", "sent"),
    [
        ("", {"a b": "ü&"}, ("/base", {"a b": "ü&"})),
        ("/a%2Fb ü", None, ("/base/a%2Fb%20%C3%BC", {})),
        ("/x?y=1", None, ("/base/x", {"y": "1"})),
    ],
)
def test_paths_and_parameters_are_quoted_once(
    service: StandIn, path: str, params: Any, sent: tuple[str, dict[str, str]]
) -> None:
    with HttpClient("echo", f"{service.url}/base", timeout=SOON) as http:
        http.request("POST", path, params=params)
    (request,) = service.requests
    assert (request.path, request.query, request.headers["content-length"]) == (*sent, "0")


def test_a_secret_that_no_header_may_hold_shows_nowhere(service: StandIn) -> None:
    with (
        HttpClient(
            "echo", service.url, timeout=SOON, authorization=("Bearer", Secret("k3y\r\nX: y"))
        ) as http,
        pytest.raises(Away) as caught,
    ):
        http.request("POST", "/x")
    assert "k3y" not in str(caught.value)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that signs itself, for 127.0.0.1, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "certificate.pem", folder / "key.pem"
    with skip_without_program():
        openssl = program("openssl", package="openssl")
    subject = ["-subj", "/CN=stand-in", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1"]
    made = ["-out", str(files[0]), "-keyout", str(files[1])]
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *made],
        check=True,
        capture_output=True,
    )
    return files


def test_a_certificate_is_verified(certificate: tuple[Path, Path]) -> None:
    with (
        StandIn(echo, certificate=certificate) as service,
        HttpClient("echo", service.url, timeout=SOON, delays=()) as http,
        pytest.raises(Away, match="caFile"),
    ):
        http.request("GET", "/x")
    assert service.requests == []


def test_a_facility_may_name_its_own_authority(certificate: tuple[Path, Path]) -> None:
    with (
        StandIn(echo, certificate=certificate) as service,
        HttpClient("echo", service.url, timeout=SOON, ca_file=str(certificate[0])) as http,
    ):
        assert http.request("GET", "/x").status == 200


def test_the_service_knows_whom_to_write_to(service: StandIn) -> None:
    with HttpClient("echo", service.url, timeout=SOON, contact="ops@example.org") as http:
        http.request("GET", "/x")
    agent = service.requests[0].headers["user-agent"]
    assert agent.startswith("pacer/")
    assert agent.endswith("(mailto:ops@example.org)")


def test_certificates_that_cannot_be_read_are_named() -> None:
    with pytest.raises(PacerError, match=r"no/such\.pem"):
        HttpClient("echo", "https://example.org", timeout=SOON, ca_file="no/such.pem")


@frozen
class _Field:
    name: str = "url"


@pytest.mark.parametrize("url", ["https://example.org", "http://[::1]:8080/base"])
def test_an_address_is_accepted(url: str) -> None:
    is_url(None, _Field(), url)


@pytest.mark.parametrize(
    "url",
    [
        "example.org",
        "ftp://example.org",
        "https://",
        "https://u:geheim@example.org",
        "https://x?key=geheim",
        "https://example.org:port",
    ],
)
def test_what_is_no_address_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|credentials|query") as caught:
        is_url(None, _Field(), url)
    assert "geheim" not in str(caught.value)
