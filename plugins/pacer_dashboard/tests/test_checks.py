"""Investigations that have ended are looked after, and public datasets named once (W19, W20)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

from pacer_core import BrokerError, Posting, Secret
from pacer_dashboard.checks.options import CheckOptions, IndexOptions
from pacer_dashboard.place import Place
from pacer_http.testing import CUT, EXPIRED, HTML, RESET, Reply, Request, StandIn, refusal
from pacer_icat import IcatClient, IcatOptions, connect
from pacer_sandbox import IcatSandbox

NOW = datetime(2026, 6, 20, 12, tzinfo=UTC)


@attrs.define
class Broker:
    """Confirms what it is given, or says why not."""

    error: str = ""
    published: list[Posting] = attrs.field(factory=list)

    def publish_each(self, postings: Sequence[Posting]) -> list[BrokerError | None]:
        if self.error:
            return [BrokerError(self.error)] * len(postings)
        self.published += postings
        return [None] * len(postings)

    def __enter__(self) -> Broker:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    @property
    def said(self) -> list[tuple[str, str, tuple[str, ...]]]:
        found = [json.loads(one.body) for one in self.published]
        return [(one["name"], one["visit_id"], tuple(one["operations"])) for one in found]


@attrs.define
class Scoring:
    """PaNOSC's scoring service, as far as GET /items/NAME/VISIT goes: 200 with the item, or 404 and null.

    By the facts about it, which were read in its routes (FastAPI): an id may contain a slash.
    """

    items: set[str] = attrs.field(factory=set)

    def answer(self, request: Request) -> Reply:
        id_ = request.path.removeprefix("/items/")
        return Reply({"id": id_, "fields": {}}) if id_ in self.items else Reply(None, 404)


@pytest.fixture
def icat(icat_server: IcatSandbox) -> Iterator[IcatClient]:
    with connect(options_of(icat_server)) as client:
        yield client


def options_of(server: IcatSandbox) -> IcatOptions:
    return IcatOptions(
        url=server.url,
        authenticator="simple",
        username="root",
        password=Secret("secret"),
        time_zone="Europe/Berlin",
    )


@pytest.fixture
def investigation(icat: IcatClient) -> Callable[..., None]:
    """Add an investigation that ended some days before now."""
    facility = icat.one("Facility")
    types = {one.name: one for one in icat.objects("InvestigationType")}

    def add(name: str, visit: str = "1", *, days: float = 3, **values: Any) -> None:
        kind = values.pop("type", "MX")
        one = icat.new(
            "Investigation",
            name=name,
            visitId=visit,
            title=name,
            facility=facility,
            type=types[kind],
            endDate=NOW - timedelta(days=days),
            **values,
        )
        one.create()

    return add


@pytest.fixture
def checked(
    icat_server: IcatSandbox, empty: Place, http_stand_in: Callable[..., StandIn]
) -> Callable[..., Any]:
    scoring = Scoring()
    stand_in = http_stand_in(scoring.answer)
    options = CheckOptions(options_of(icat_server), stand_in.url)

    def check(*, broker: Broker, now: datetime = NOW, items: Sequence[str] = (), **more: Any) -> Any:
        from pacer_dashboard.checks import run

        scoring.items = set(items)
        given = attrs.evolve(options, **more.pop("options", {}))
        return run.run(given, now=now, opened=lambda: broker, **more)  # type: ignore[arg-type,return-value]

    check.stand_in = stand_in  # type: ignore[attr-defined]
    return check


def test_both_kinds_of_lack_are_found_in_a_window_of_days_and_nobody_is_told_of_nothing(
    investigation: Callable[..., None], checked: Callable[..., Any]
) -> None:
    from pacer_dashboard.models import CheckRun, InvestigationCheck

    investigation("no-doi")
    investigation("doi-only", doi="10.5072/1")
    investigation("whole", doi="10.5072/2")
    investigation("old", days=31)
    investigation("to-come", days=-5)
    investigation("industry", type="INDUSTRIAL")
    broker = Broker()
    report = checked(broker=broker, items=["no-doi/1", "whole/1"])
    assert sorted(broker.said) == [
        ("doi-only", "1", ("create-panosc-item",)),
        ("no-doi", "1", ("mint-proposal",)),
    ]
    assert {one.content_type for one in broker.published} == {"application/json"}
    assert {(one.exchange, one.routing_key) for one in broker.published} == {
        ("investigation-ops-exchange", "investigation.ops")
    }
    assert len(report.looks) == 3
    rows = InvestigationCheck.objects.order_by("investigation")
    assert [*rows.values_list("investigation", "doi", "panosc", "settled", "sent")] == [
        ("doi-only", "present", "missing", False, 1),
        ("no-doi", "missing", "present", False, 1),
        ("whole", "present", "present", True, 0),
    ]
    # An hour later the same is under way; a day later it is sent anew; after its days nobody looks any more.
    assert (
        len(checked(broker=broker, now=NOW + timedelta(hours=1), items=["no-doi/1", "whole/1"]).waiting) == 2
    )
    assert len(broker.published) == 2
    checked(broker=broker, now=NOW + timedelta(days=1), items=["no-doi/1", "whole/1"])
    assert len(broker.published) == 4
    checked(broker=broker, now=NOW + timedelta(days=40))
    assert not InvestigationCheck.objects.filter(settled=False).exclude(investigation="to-come").exists()
    looks = InvestigationCheck.objects.get(investigation="no-doi").looks.order_by("id")
    assert [bool(one.sent_as) for one in looks] == [False, True, True]
    assert CheckRun.objects.filter(finished_at__isnull=False, sent=2).count() == 2


@pytest.mark.parametrize("fault", [EXPIRED, HTML, RESET, CUT, refusal(503), refusal(404, content=b"<html>")])
def test_what_the_search_does_not_say_is_unknown_and_nothing_is_made_of_it(
    investigation: Callable[..., None], checked: Callable[..., Any], fault: Any
) -> None:
    investigation("whole", doi="10.5072/2")
    broker = Broker()
    checked.stand_in.fail(fault)  # type: ignore[attr-defined]
    report = checked(broker=broker)
    assert [(one.panosc, one.operations) for one in report.looks] == [("unknown", ())]
    assert report.unknown == 1
    assert report.trouble
    assert broker.published == []
    # Once it answers again the lack is known.
    checked(broker=broker)
    assert broker.said == [("whole", "1", ("create-panosc-item",))]


def test_a_dry_run_sends_and_writes_nothing(
    investigation: Callable[..., None], checked: Callable[..., Any]
) -> None:
    from pacer_dashboard.models import CheckRun, InvestigationCheck

    investigation("no-doi")
    broker = Broker()
    report = checked(broker=broker, dry_run=True)
    assert [one.operations for one in report.looks] == [("mint-proposal", "create-panosc-item")]
    assert (broker.published, CheckRun.objects.count(), InvestigationCheck.objects.count()) == ([], 0, 0)


@pytest.mark.parametrize("name", ["o'brien", "x' OR '1' = '1", "a:name", 'say "so"', "naïve\\"])
def test_a_name_is_data_whatever_is_in_it_and_a_visit_is_found_by_its_own(
    investigation: Callable[..., None], checked: Callable[..., Any], name: str
) -> None:
    investigation(name, "1", days=400)
    investigation(name, "2", days=-3)
    investigation("another")
    broker = Broker()
    report = checked(broker=broker, name=name, visit_id="1")
    assert [(one.investigation.name, one.investigation.visit_id) for one in report.looks] == [(name, "1")]
    assert broker.said == [(name, "1", ("mint-proposal", "create-panosc-item"))]
    assert checked(broker=broker, name=name, visit_id="2").notes == [
        f"{name} 2 has not ended yet: nothing is checked"
    ]
    (note,) = checked(broker=broker, name="nobody's", visit_id="1").notes
    assert "ICAT has no investigation" in note


def test_what_the_broker_does_not_confirm_is_not_counted_and_is_tried_by_the_next_run(
    investigation: Callable[..., None], checked: Callable[..., Any]
) -> None:
    from pacer_dashboard.models import CheckRun, InvestigationCheck

    investigation("no-doi")
    broker = Broker("cannot connect to the broker")
    report = checked(broker=broker)
    assert (report.sent, len(report.failed)) == ([], 1)
    check = InvestigationCheck.objects.get()
    assert (check.sent, check.note) == (0, "cannot connect to the broker")
    assert CheckRun.objects.get().trouble == "cannot connect to the broker"
    broker.error = ""
    checked(broker=broker, now=NOW + timedelta(minutes=1))
    assert InvestigationCheck.objects.get().sent == len(broker.published) == 1


def test_each_public_dataset_is_named_once_whatever_the_pages_and_embargoes_hold(
    investigation: Callable[..., None], icat: IcatClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pacer_dashboard.checks import icat as asked
    from pacer_dashboard.checks import index

    monkeypatch.setattr(asked, "PAGE", 3)
    kind = next(iter(icat.objects("DatasetType")))
    before = {one.id for one in icat.objects("Dataset")}
    for name, release in {
        "may": datetime(2026, 5, 31, 21, 59, tzinfo=UTC),
        "june": datetime(2026, 5, 31, 22, tzinfo=UTC),
        "long-ago": datetime(2019, 1, 1, tzinfo=UTC),
        "embargoed": datetime(2030, 1, 1, tzinfo=UTC),
    }.items():
        investigation(name, releaseDate=release)
        of = icat.one("Investigation", name=name)
        for number in range(7):
            icat.new("Dataset", name=f"{name}{number}", investigation=of, type=kind, complete=True).create()
    ids = {
        name: {one.id for one in icat.objects("Dataset").filter(investigation__name=name)}
        for name in ("may", "june", "long-ago", "embargoed")
    }
    options = IndexOptions("public", "internal", "dataset.index")

    def run(**more: Any) -> list[int]:
        broker = Broker()
        done = index.run(icat, options, now=NOW, opened=lambda: broker, **more)  # type: ignore[arg-type,return-value]
        assert done.sent == len(broker.published)
        assert all(
            (one.exchange, one.routing_key) == ("internal", "dataset.index") for one in broker.published
        )
        return [json.loads(one.body)["dataset_id"] for one in broker.published if b'"public"' in one.body]

    month = run()
    assert sorted(month) == sorted(ids["may"])
    everything = run(all_datasets=True)
    assert len(everything) == len(set(everything))
    assert set(everything) - before == ids["may"] | ids["june"] | ids["long-ago"]
    assert set(run(all_datasets=True, embargoed=True)) - before == set().union(*ids.values())
    assert run(dry_run=True) == []
    assert index.last_month(datetime(2026, 1, 31, tzinfo=UTC)) == (
        datetime(2025, 12, 1, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_the_checks_run_once_a_day_at_their_time(empty: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from pacer_dashboard.checks import schedule
    from pacer_dashboard.models import CheckRun

    monkeypatch.delenv("INVESTIGATION_CHECK_AT", raising=False)
    assert not schedule.due(NOW)
    monkeypatch.setenv("INVESTIGATION_CHECK_AT", "04:30")
    assert schedule.due(NOW)
    CheckRun.objects.create(at=NOW.replace(hour=5), finished_at=NOW)
    assert not schedule.due(NOW)
    assert not schedule.due(NOW + timedelta(hours=16))  # at 04:00 of the next day
    assert schedule.due(NOW + timedelta(hours=17))


def test_a_run_that_was_killed_is_due_anew_and_one_that_is_at_work_is_not(
    empty: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pacer_dashboard.checks import schedule
    from pacer_dashboard.models import CheckRun

    monkeypatch.setenv("INVESTIGATION_CHECK_AT", "04:30")
    CheckRun.objects.create(at=NOW.replace(hour=4, minute=31))
    assert not schedule.due(NOW.replace(hour=4, minute=50))
    assert schedule.due(NOW.replace(hour=6))


@pytest.mark.parametrize(("year", "month", "day"), [(2026, 3, 29), (2026, 10, 25)])
def test_the_checks_run_once_in_a_night_in_which_the_clocks_change(
    empty: Place, monkeypatch: pytest.MonkeyPatch, year: int, month: int, day: int
) -> None:
    from django.utils import timezone

    from pacer_dashboard.checks import schedule
    from pacer_dashboard.models import CheckRun

    monkeypatch.setenv("INVESTIGATION_CHECK_AT", "02:30")
    monkeypatch.setattr(timezone, "get_default_timezone", lambda: ZoneInfo("Europe/Madrid"))
    begin = datetime(year, month, day, tzinfo=UTC) - timedelta(hours=4)
    CheckRun.objects.create(at=begin, finished_at=begin)
    for minutes in range(0, 12 * 60, 5):
        now = begin + timedelta(minutes=minutes)
        if schedule.due(now):
            CheckRun.objects.create(at=now, finished_at=now)
    assert CheckRun.objects.count() == 2


def test_a_run_that_ends_with_a_mistake_is_none_without_trouble(
    investigation: Callable[..., None], checked: Callable[..., Any]
) -> None:
    from pacer_dashboard.models import CheckRun

    investigation("no-doi")

    class Broken(Broker):
        def publish_each(self, postings: Sequence[Posting]) -> list[BrokerError | None]:
            raise RuntimeError("mistake")

    with pytest.raises(RuntimeError):
        checked(broker=Broken())
    assert "RuntimeError" in CheckRun.objects.get().trouble


def test_neither_a_look_at_one_nor_a_facility_without_panosc_keeps_the_alert_of_the_checks_from_its_work(
    investigation: Callable[..., None], checked: Callable[..., Any]
) -> None:
    from pacer_dashboard.models import CheckRun

    investigation("no-doi")
    checked(broker=Broker(), name="no-doi", visit_id="1")
    assert not CheckRun.objects.exists()
    report = checked(broker=Broker(), options={"panosc_url": None})
    assert (report.unknown, CheckRun.objects.get().trouble) == (1, "")
    assert any("PANOSC_API_URL is not set" in one for one in report.notes)


def test_dry_run_is_a_flag_and_a_value_behind_it_is_an_error() -> None:
    from click.testing import CliRunner

    from pacer_dashboard.commands.checks import checks

    done = CliRunner().invoke(checks, ["--dry-run", "False"])
    assert done.exit_code == 2
    assert "False" in done.output
