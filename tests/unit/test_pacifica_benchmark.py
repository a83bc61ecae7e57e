"""What the benchmark of bundles rests on; no test here measures anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from benchmarks import pacifica
from benchmarks.pacifica_services import stand_ins
from pacer_pacifica.testing import PacificaServices
from plugins.pacer_pacifica.tests.conformance.run import QUESTIONS

_OF_CONTENT = "what an archive says of a file"  # which the benchmark's stand-ins do not keep


@pytest.fixture(scope="module")
def addresses() -> Iterator[Mapping[str, str]]:
    """The benchmark's stand-ins."""
    with stand_ins() as url:
        yield {name: f"{url}/{name}" for name in ("uniqueid", "policy", "metadata", "archive")}


@pytest.mark.parametrize("question", sorted(QUESTIONS.keys() - {_OF_CONTENT}))
def test_stand_ins_that_cost_nothing_say_what_those_of_the_tests_say(
    question: str, addresses: Mapping[str, str]
) -> None:
    with PacificaServices() as services:
        assert QUESTIONS[question](addresses) == QUESTIONS[question](services.addresses)


def test_an_archive_that_costs_nothing_takes_files_and_knows_their_numbers(
    addresses: Mapping[str, str],
) -> None:
    url = f"{addresses['archive']}/7"
    with httpx.Client() as client:
        assert client.head(url).status_code == 500
        taken = client.put(url, content=b"12345", headers={"Last-Modified": "Tue Jul 15 10:00:00 2025"})
        assert (taken.status_code, taken.json()["total_bytes"]) == (201, 5)
        assert client.head(url).status_code == 204


def test_without_python_38_the_rows_of_pacificas_own_code_are_left_out_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PACER_PYTHON38", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = pacifica.ways(tmp_path, [], {pacifica.PACER, pacifica.PACIFICA_WAY})
    assert list(found) == [pacifica.PACER]
    assert "PACER_PYTHON38" in capsys.readouterr().out
