"""The ICAT benchmark: that all ways store the same, and what it writes; no test here measures anything."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from attrs import evolve
from rich.console import Console

from benchmarks import icat_bench, icat_report
from benchmarks.icat_bench import Bench
from benchmarks.icat_report import FIGURES, RATIOS, ROWS, Report
from benchmarks.icat_server import SANDBOX_ACCOUNT, Account, Server, facility
from pacer_icat.client import Shared
from pacer_sandbox import IcatSandbox


@pytest.mark.parametrize(
    ("text", "default", "account"),
    [
        ("db/root:se:cr/et", None, Account("db", "root", "se:cr/et")),
        ("simple/root", "secret", Account("simple", "root", "secret")),
        ("simple/root/secret", "other", Account("simple", "root", "secret")),
    ],
)
def test_an_account_is_written_in_one_word(text: str, default: str | None, account: Account) -> None:
    assert Account.parse(text, default) == account


@pytest.mark.parametrize("text", ["db", "db/root", "/root:x", ""])
def test_an_account_without_a_part_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="PLUGIN/USER:PASSWORD"):
        Account.parse(text, None)


@pytest.fixture
def server(icat_server: IcatSandbox, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A sandbox, and datasets that are small enough for a test."""
    monkeypatch.setattr(icat_bench, "FILES", 6)
    monkeypatch.setattr(icat_bench, "PARAMETERS", 4)
    return Server(icat_server.url, SANDBOX_ACCOUNT, is_sandbox=True)


def test_every_way_stores_the_same_and_nothing_is_left_of_it(server: Server) -> None:
    with facility(server) as made:
        bench = Bench(made, quick=True)
        bench.ours(6, 4)
        bench.envelope()
        bench.one_by_one()
        bench.create_many()
        wire = bench.shared.wire
        datasets = wire.search("SELECT d.id FROM Dataset d ORDER BY d.id")
        assert len(datasets) == 4
        for dataset in datasets:
            for entity, count in (("Datafile", 6), ("DatasetParameter", 4)):
                assert wire.search(
                    f"SELECT COUNT(o) FROM {entity} o WHERE o.dataset.id = :dataset", dataset=dataset
                ) == [count]
        bench.close()
    shared = Shared(server.options())
    assert shared.wire.search("SELECT COUNT(d) FROM Dataset d") == [0]
    assert shared.wire.search("SELECT COUNT(f) FROM Facility f") == [1]
    shared.close()


def test_calls_are_counted_for_small_datasets_links_and_statistics(server: Server) -> None:
    report = icat_bench.measure(
        server,
        {"calls-per-small-dataset", "calls-per-links", "calls-per-statistics"},
        quick=True,
        console=Console(quiet=True),
    )
    assert report.values.keys() == {"calls-per-small-dataset", "calls-per-links", "calls-per-statistics"}
    assert all(row.reached(report.values[row.name]) for row in ROWS if row.name in report.values)


def test_the_results_hold_the_ratios_and_the_page_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(icat_report, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(icat_report, "RESULTS", tmp_path / "results" / "icat.json")
    report = Report(
        values={row.name: row.target for row in ROWS},
        seconds={"pacer-icat": 0.03},
        repeats=3,
        is_sandbox=True,
        python_icat="1.7.0",
    )
    icat_report.write(report)
    written = json.loads((tmp_path / "results" / "icat.json").read_text())
    assert written["ratios"] == {
        "ingest1000/one-by-one": 20,
        "ingest1000/createMany": 8,
        "ingest1000/wire": 1.25,
        "parallel8": 7.2,
    }
    page = (tmp_path / "page.md").read_text()
    assert all(f"| `{row.name}` | " in page for row in (*RATIOS, *FIGURES))
    assert "missed" not in page


def test_a_row_is_reached_from_its_side_of_the_target() -> None:
    by_name = {row.name: row for row in ROWS}
    assert by_name["parallel8"].reached(7.3)
    assert not by_name["parallel8"].reached(7.1)
    assert by_name["ingest1000/wire"].reached(1.2)
    assert not by_name["ingest1000/wire"].reached(1.3)


def test_a_real_server_is_measured_at_its_own_pace_and_judged_so(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = evolve(server, is_sandbox=False)
    console = Console(record=True, width=160, file=StringIO())
    told: list[object] = []
    monkeypatch.setattr("benchmarks.icat_server.urllib.request.urlopen", told.append)
    report = icat_bench.measure(
        real, {"ingest1000/wire", "parallel8", "sandbox-per-object"}, quick=True, console=console
    )
    assert told == []
    assert "sandbox-per-object" not in report.values
    icat_report.show(report, console)
    shown = console.export_text()
    assert "50 ms" not in shown
    assert "500 ms" not in shown
    assert "connections posting envelopes" in shown
    assert "at the server's own pace" in shown
    assert report.values["parallel8"] > 0


def test_the_page_tells_the_sandboxs_ratios_from_a_real_servers() -> None:
    page = icat_report.PAGE.read_text()
    assert "| `ingest1000/one-by-one` | 216 | 27 to 31 |" in page
    assert "| `ingest1000/createMany` | 119 | 12 to 13 |" in page
