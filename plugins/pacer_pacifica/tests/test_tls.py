"""TLS by the service itself, where no proxy has a certificate."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from pacer_core import PacerError
from pacer_pacifica.service.options import Tls
from plugins.pacer_pacifica.tests.door import Door
from plugins.pacer_pacifica.tests.work.support import bundle
from tests.services.base import program
from tests.services.fixtures import skip_without_program

Start = Callable[..., Door]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """A certificate that signs itself, for 127.0.0.1, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    with skip_without_program():
        openssl = program("openssl", package="openssl")
    made = Tls(str(folder / "certificate.pem"), str(folder / "key.pem"))
    subject = ["-subj", "/CN=pacifica", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1"]
    how = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command = [openssl, *how, *subject, "-out", made.certificate, "-keyout", made.key]
    subprocess.run(command, check=True, capture_output=True)
    return made


def test_a_bundle_comes_in_by_tls_and_by_nothing_else(start: Start, tls: Tls) -> None:
    door = start(tls=tls)
    url, token = f"https://127.0.0.1:{door.port}", {"Authorization": "Bearer alices-token"}
    trusted = ssl.create_default_context(cafile=tls.certificate)
    with httpx.Client(base_url=url, headers=token, timeout=60, verify=trusted) as client:
        job = client.post("/upload", content=bundle()).json()
        assert (job["state"], client.get(f"/get_state?job_id={job['job_id']}").status_code) == ("OK", 200)
        assert client.get("/api/v1/jobs").json()["jobs"][0]["user"] == "alice"
    with httpx.Client(base_url=url, headers=token, timeout=60) as client, pytest.raises(httpx.ConnectError):
        client.get("/")
    with pytest.raises(httpx.TransportError):
        door.client.post("/upload", content=bundle())
    assert len(door.jobs.find()) == 1


@pytest.mark.parametrize("wrong", ["missing", "another's key"])
def test_a_certificate_that_cannot_be_used_is_said(
    start: Start, tls: Tls, tmp_path: Path, wrong: str
) -> None:
    key = tmp_path / "key.pem"
    if wrong != "missing":
        key.write_text("-----BEGIN PRIVATE KEY-----\nbm9uZQ==\n-----END PRIVATE KEY-----\n")
    with pytest.raises(
        PacerError, match=r"certificate or its key cannot be read: .* correct the option 'tls'"
    ):
        start(tls=Tls(tls.certificate, str(key)))
