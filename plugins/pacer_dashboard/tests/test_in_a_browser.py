"""The pages, in a real browser."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from axe_playwright_python.sync_playwright import Axe

from pacer_dashboard.records import Record, read
from pacer_dashboard.testing_site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "\u202eturned\u2066 \u05e2\u05d1\u05e8\u05d9\u05ea",
    "👩\u200d🔬" * 20,
    "x" * 250,
    "../..",
    "a/b?c=d#e%2F&f",
    " ' {{ 1 }} {% now %}",
)
_numbers = count()


def record(type_: str, **said: Any) -> Record:
    """Make a record of a message that has just come."""
    now = datetime.now(UTC) + timedelta(microseconds=next(_numbers))
    return read(
        json.dumps(
            {
                "format": "pacer.delivery/1",
                "id": str(uuid4()),
                "correlation_id": str(uuid4()),
                "consumer": "datasets",
                "type": type_,
                "queue": "datasets-queue",
                "exchange": "datasets-exchange",
                "routing_key": "dataset.ingest",
                "outcome": "acked",
                "attempt": 1,
                "redelivered": False,
                "first_seen": now.isoformat(),
                "started": now.isoformat(),
                "finished": (now + timedelta(milliseconds=40)).isoformat(),
                "identifiers": {"investigation": "HG-1", "instrument": "BL01", "dataset": "scan"},
                "timings": {"store": 0.04},
                "done": ["store"],
                "pending": [],
                "rejected": {},
                "failures": [],
                "follow_ups": [],
                "payload": '{"a": 1}',
                "payload_size": 8,
                "content_type": "application/json",
                **said,
            }
        ).encode()
    )


def failed(type_: str, outcome: str = "dead", reason: str = "the disk is full", **said: Any) -> Record:
    """Make a record of a failure."""
    failure = {"task": "store", "kind": "error", "reason": reason, "fields": []}
    return record(type_, outcome=outcome, done=[], failures=[failure], **said)


@pytest.fixture
def type_() -> str:
    """Give a type that no other test has."""
    return f"type-{uuid4().hex[:8]}"


def rows(page: Page) -> list[str]:
    """Give the correlation ids that a list shows, from the top."""
    return [
        one.removeprefix("m-") for one in page.eval_on_selector_all("[data-row]", "all => all.map(r => r.id)")
    ]


def shows(page: Page, number: int) -> None:
    """Wait until a list has so many rows."""
    page.locator("[data-row]").nth(number - 1).wait_for()
    assert page.locator("[data-row]").count() == number


def ids(records: Iterable[Record]) -> list[str]:
    """Give the correlation ids of records, the newest first."""
    return [one.correlation_id for one in records][::-1]


def test_messages_that_arrive_or_change_appear_by_themselves(page: Page, site: Site, type_: str) -> None:
    first = failed(type_, "retried")
    site.store([first])
    page.goto(f"{site.url}?type={type_}")
    page.wait_for_selector("[data-live-toggle][data-state=on]")
    assert rows(page) == [first.correlation_id]
    second = record(type_)
    site.store([second, record(f"{type_}-other")])
    page.wait_for_selector(f"[id='m-{second.correlation_id}'].arrived")
    assert rows(page) == [second.correlation_id, first.correlation_id]
    site.store([record(type_, correlation_id=first.correlation_id, attempt=2)])
    page.wait_for_selector(f"[id='m-{first.correlation_id}'].acked")
    assert rows(page) == [second.correlation_id, first.correlation_id]


def test_arrivals_wait_while_the_list_is_paused(page: Page, site: Site, type_: str) -> None:
    site.store([record(type_)])
    page.goto(f"{site.url}?type={type_}")
    page.wait_for_selector("[data-live-toggle][data-state=on]")
    page.keyboard.press("p")
    site.store([record(type_), record(type_)])
    page.get_by_role("button", name="2 new: show them").click()
    assert len(rows(page)) == 3
    assert page.locator("[data-live-toggle]").get_attribute("data-state") == "on"


def test_a_message_that_the_filter_does_not_find_any_more_goes(page: Page, site: Site, type_: str) -> None:
    first = failed(type_, "retried")
    site.store([first, failed(type_, "retried")])
    page.goto(f"{site.url}?type={type_}&state=retried")
    page.wait_for_selector("[data-live-toggle][data-state=on]")
    site.store([record(type_, correlation_id=first.correlation_id, attempt=2)])
    page.wait_for_selector(f"[id='m-{first.correlation_id}']", state="detached")
    assert len(rows(page)) == 1


def test_a_page_misses_nothing_while_the_server_is_restarted(
    browser: Browser, site: Site, page: Page, type_: str
) -> None:
    page.goto(f"{site.url}?type={type_}")
    page.wait_for_selector("[data-live-toggle][data-state=on]")
    before = [record(type_) for _ in range(3)]
    site.store(before)
    shows(page, 3)
    site.stop()
    meanwhile = [record(type_) for _ in range(7)]
    site.store(meanwhile)
    page.wait_for_selector("[data-live-toggle][data-state=away]")
    site.start()
    shows(page, 10)
    after = [record(type_)]
    site.store(after)
    shows(page, 11)
    assert rows(page) == ids([*before, *meanwhile, *after])


def test_pages_go_back_and_forth_without_gaps_or_repeats_while_messages_arrive(
    page: Page, site: Site, type_: str
) -> None:
    sent = [record(type_) for _ in range(120)]
    site.store(sent)
    page.goto(f"{site.url}?type={type_}")
    seen = rows(page)[-50:]
    for _ in range(2):
        site.store([record(type_), record(type_)])
        page.get_by_role("link", name="Older").click()
        page.wait_for_load_state()
        seen += rows(page)
    assert seen == ids(sent)
    page.get_by_role("link", name="Newer").first.click()
    page.wait_for_load_state()
    assert rows(page) == ids(sent)[50:100]
    page.go_back()
    assert rows(page) == ids(sent)[100:]


def test_what_is_filtered_stands_in_the_address_and_is_taken_away_one_by_one(
    page: Page, site: Site, type_: str
) -> None:
    site.store([failed(type_, identifiers={"sample": "quartz"}), failed(type_), record(type_)])
    page.goto(f"{site.url}?type={type_}")
    page.get_by_role("group", name="State").get_by_role("link", name="Dead").click()
    page.get_by_text("More filters").click()
    page.get_by_label("Identifier").fill("sample=quartz")
    page.get_by_role("button", name="Filter", exact=True).click()
    page.wait_for_load_state()
    assert "id=sample%3Dquartz" in page.url
    assert "state=dead" in page.url
    assert len(rows(page)) == 1
    page.get_by_role("link", name="Without Identifier sample=quartz").click()
    page.wait_for_load_state()
    assert len(rows(page)) == 2
    page.goto(f"{site.url}?since=tomorrow")
    assert "should be a day such as" in page.get_by_role("alert").inner_text()


def test_a_message_shows_its_whole_life(page: Page, site: Site, type_: str) -> None:
    one = failed(type_, "retried", reason="ICAT does not answer\n<b>now</b>")
    again = {"correlation_id": one.correlation_id, "attempt": 2, "payload": '{"a": 2}'}
    follow_up = {"correlation_id": one.correlation_id, "consumer": "dataset-links"}
    site.store([one, record(type_, **again, follow_ups=["dataset-links"]), record(type_, **follow_up)])
    page.goto(f"{site.url}?type={type_}")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/messages/{one.correlation_id}")
    steps = page.locator(".life > li")
    assert steps.count() == 3
    assert [one.get_attribute("class") for one in steps.all()] == ["retried", "acked", "acked"]
    assert "<b>now</b>" in page.locator(".failure").inner_text()
    assert "sent on to" in steps.nth(1).inner_text()
    page.get_by_role("link", name="Difference").click()
    page.wait_for_load_state()
    assert page.locator("tr.minus").inner_text().split() == ["2", "\N{MINUS SIGN}", '"a":', "1"]
    assert page.locator("tr.plus").inner_text().split() == ["2", "+", '"a":', "2"]
    page.goto(f"{site.url}messages/{one.correlation_id}")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert Path(download.value.path()).read_bytes() == b'{"a": 1}'


def test_a_list_is_walked_by_the_keyboard_alone(page: Page, site: Site, type_: str) -> None:
    sent = [record(type_) for _ in range(3)]
    site.store(sent)
    page.goto(f"{site.url}?type={type_}")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(2):
        page.keyboard.press("j")
    assert page.evaluate("document.activeElement.closest('tr').id") == f"m-{sent[1].correlation_id}"
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.closest('tr').id") == f"m-{sent[2].correlation_id}"
    page.keyboard.press("/")
    page.keyboard.type("jkp?")
    assert page.locator("#q").input_value() == "jkp?"
    page.keyboard.press("Tab")
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#keys").is_visible()


def test_colours_are_the_systems_or_those_that_somebody_chose(
    browser: Browser, page: Page, site: Site
) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    page.goto(site.url)
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ground)
    assert light != dark
    with page.expect_response("**/theme"):
        page.get_by_label("Colours").select_option("light")
    assert page.evaluate(ground) == light
    page.goto(f"{site.url}errors/")
    assert page.evaluate(ground) == light


def test_a_view_is_saved_with_its_columns_and_is_the_first_page_where_one_wishes(
    page: Page, site: Site, type_: str
) -> None:
    site.store([record(type_)])
    page.goto(f"{site.url}?type={type_}")
    page.get_by_text("Columns", exact=True).first.click()
    page.get_by_label("Correlation id").check()
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_load_state()
    assert page.get_by_role("columnheader", name="Correlation id").is_visible()
    page.get_by_text("Views", exact=True).first.click()
    page.get_by_label("Save this one as").fill(f"Mine {type_}")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_load_state()
    assert page.get_by_role("heading", level=1).inner_text() == f"Mine {type_}"
    page.goto(f"{site.url}views/")
    page.get_by_role("row", name=type_).get_by_role("button", name="As first page").click()
    page.wait_for_load_state()
    page.goto(site.url)
    assert page.get_by_role("heading", level=1).inner_text() == f"Mine {type_}"
    assert len(rows(page)) == 1
    page.goto(f"{site.url}views/")
    page.get_by_role("row", name=type_).get_by_role("button", name="Delete").click()
    page.wait_for_load_state()
    assert type_ not in page.content()


def test_an_export_has_all_that_is_filtered_and_no_formula(page: Page, site: Site, type_: str) -> None:
    sent = [record(type_) for _ in range(60)] + [failed(type_, reason='=1+1, "said"')]
    site.store(sent)
    page.goto(f"{site.url}?type={type_}")
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    lines = [*csv.DictReader(io.StringIO(Path(download.value.path()).read_text()))]
    assert [line["correlation_id"] for line in lines] == ids(sent)
    assert lines[0]["reason"] == '\'=1+1, "said"'
    with page.expect_download() as download:
        page.get_by_role("link", name="JSONL").click()
    parsed = [json.loads(line) for line in Path(download.value.path()).read_text().splitlines()]
    assert [one["correlation_id"] for one in parsed] == ids(sent)
    assert parsed[0]["reason"] == '=1+1, "said"'


def test_nothing_that_a_message_says_breaks_a_page(page: Page, site: Site, type_: str) -> None:
    alerts: list[str] = []
    page.on("dialog", lambda dialog: alerts.append(dialog.message))
    sent = [
        failed(
            f"{type_}{bad}"[:255],
            reason=bad * 3,
            correlation_id=f"{type_}/../.." if bad == "../.." else f"{bad[:200]}{type_}",
            consumer=bad,
            queue=bad,
            exchange=type_,
            identifiers={bad: bad, "dataset": bad},
            payload=json.dumps({bad: bad}),
            follow_ups=[bad],
        )
        for bad in HOSTILE
    ]
    site.store(sent)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{site.url}?exchange={type_}")
    assert rows(page) == ids(sent)
    assert fits(page)
    for at in range(len(sent)):
        page.goto(f"{site.url}?exchange={type_}")
        page.locator("a.open").nth(at).click()
        page.wait_for_load_state()
        assert page.get_by_role("heading", name="Life").is_visible(), page.url
        assert "\u202e" not in page.title() + page.inner_text("body")
        assert fits(page), page.url
    assert not alerts


def fits(page: Page) -> bool:
    """Tell whether a page is no wider than its window."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def pages(page: Page, site: Site) -> list[str]:
    """Give the addresses of the pages, with a message and an error among them."""
    site.store([dead := failed("pages-all", "dead")])
    page.goto(f"{site.url}errors/")
    error = page.locator("a.open").first.get_attribute("href") or ""
    return [
        "?state=retried", "?state=dead&type=pages-all", "?since=nonsense", "?type=nothing-like-it",
        f"messages/{dead.correlation_id}", "errors/", error.removeprefix("/"), "statistics/?span=year",
        "views/", "again/", "audit/", "system/", "checks/", "alerts/",
    ]  # fmt: skip


def test_axe_finds_nothing_in_light_and_dark_and_every_page_fits_a_telephone(page: Page, site: Site) -> None:
    axe = Axe()
    found: list[str] = []
    for path in pages(page, site):
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto(site.url + path)
        found += looked_at(page, axe, path, LEVELS)
        page.emulate_media(color_scheme="dark")
        found += looked_at(page, axe, f"{path} in dark", ["color-contrast"])
        page.set_viewport_size({"width": 360, "height": 800})
        found += looked_at(
            page, axe, f"{path} on a telephone", ["target-size", "scrollable-region-focusable"]
        )
        assert fits(page), path
    assert not found, "\n".join(found)


def looked_at(page: Page, axe: Axe, name: str, only: list[str]) -> list[str]:
    """Give what axe has to say of a page, by its rules of these levels or names."""
    said = axe.run(page, options={"runOnly": only, "resultTypes": ["violations"]})
    return [
        f"{name}: {one['id']} {node['target']} {node['failureSummary']}"
        for one in said.response["violations"]
        for node in one["nodes"]
    ]


def test_pages_work_without_script_and_below_a_path_of_their_own(
    browser: Browser, site: Site, type_: str, tmp_path: Path
) -> None:
    below = Site(site.place, tmp_path, root="/pacer-dashboard")
    below.start()
    try:
        site.store([record(type_) for _ in range(60)])
        context = browser.new_context(java_script_enabled=False)
        context.add_cookies([below.session()])  # type: ignore[list-item]
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{below.url}?type={type_}")
        page.get_by_role("link", name="Older").click()
        assert page.locator("[data-row]").count() == 10
        page.locator("a.open").first.click()
        assert page.get_by_role("heading", name="Life").is_visible()
        page.get_by_role("link", name="Statistics").click()
        page.get_by_role("link", name="Year").click()
        assert page.get_by_role("heading", name="Deliveries", exact=True).is_visible()
        assert all(url.startswith(below.url) for url in asked), asked
        context.close()
    finally:
        below.stop()


def test_errors_and_statistics_lead_to_their_messages(page: Page, site: Site, type_: str) -> None:
    reason = "zinc is missing in the furnace"
    site.store([failed(type_, reason=reason, identifiers={"instrument": "BL09", "proposal": "HG-7"})])
    page.goto(f"{site.url}errors/")
    page.get_by_role("link", name=reason).click()
    page.get_by_role("link", name="HG-7").click()
    page.wait_for_load_state()
    assert len(rows(page)) == 1
    page.goto(f"{site.url}statistics/?type={type_}")
    assert page.locator(".figure", has_text="deliveries that failed").inner_text().count("100 %") == 1
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV : Types").click()
    lines = [*csv.DictReader(io.StringIO(Path(download.value.path()).read_text()))]
    assert [(line["name"], line["dead"]) for line in lines] == [(type_, "1")]
    page.get_by_role("row", name=type_).get_by_role("link").click()
    page.wait_for_load_state()
    assert len(rows(page)) == 1
