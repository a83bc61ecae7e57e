"""``pacer dashboard screenshots``: the pictures of the documentation, made of the pages as they are."""

from __future__ import annotations

import base64
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pacer_core import LetterChoice, Publication, publish, say

if TYPE_CHECKING:
    from playwright.sync_api import Browser, CDPSession, Page

    from pacer_dashboard.demo.parts import Facility
    from pacer_dashboard.testing_site import Site

MESSAGES = 1500
"""How many messages there are in the pictures, one in seven minutes."""
WIDTHS = {1440: 900, 390: 844}
QUALITY = 60
PATIENCE = "2s"
"""How long the messages of the dead queues wait for what never comes."""
GIVEN_UP = 120.0
"""Seconds in which they have to be dead."""
Paths = dict[str, str]
"""Of pages, by the names of their pictures."""


@click.command(short_help="Make the documentation's pictures of all pages.")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder.")
@click.option("--chromium", default="/usr/bin/chromium", show_default=True, help="The browser.")
@click.option("--only", multiple=True, help="The names of the pages; all without it.")
@click.pass_context
def screenshots(ctx: click.Context, into: Path, chromium: str, only: tuple[str, ...]) -> None:
    """Show each page in light and dark, at 1440 and 390 pixels, as WebP.

    The messages in them are made up, by the same seed each time; those in the dead queues are given up by a
    PACER of their own, with what the demo needs. It needs Python's playwright and a chromium.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise click.ClickException("pictures need a browser: pip install playwright") from None
    from pacer_dashboard.demo.parts import facility
    from pacer_dashboard.place import Place
    from pacer_dashboard.testing import database, fill
    from pacer_dashboard.testing_site import Site

    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pacer-dashboard-pictures-") as name, ExitStack() as stack:
        place = Place(folder=Path(name))
        with database(place):
            fill(MESSAGES, start=datetime.now(UTC) - timedelta(minutes=7 * MESSAGES))
        watched = stack.enter_context(facility(Path(name), Path(name), PATIENCE))
        site = Site(place, Path(name), {"PACER_CONFIG": str(watched.configuration)})
        stack.callback(site.stop)
        site.start()
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        stack.callback(browser.close)
        for pages in (_pages, _dead_queues):
            if pages is _dead_queues:
                _let_die(ctx, watched)  # at the end: their records are no part of the other pictures
            for file in _take(browser, site, into, only, pages):
                say(f"{file} ({file.stat().st_size // 1024} KiB)")


def _let_die(ctx: click.Context, watched: Facility) -> None:
    """Have PACER give up some messages, and return when all are in dead queues."""
    from pacer_dashboard.again import broker
    from pacer_dashboard.demo.stream import wrong

    sent = [Publication(to=one.to, body=one.body, content_type=one.content_type) for one in wrong()]
    publish(ctx, watched.configuration, sent)
    until = time.monotonic() + GIVEN_UP
    with watched.worker(), broker.opened({broker.CONFIG: str(watched.configuration)}) as opened:
        while sum(1 for _ in opened.letters(LetterChoice())) < len(sent):
            if time.monotonic() > until:
                raise click.ClickException(f"PACER does not give up what is wrong within {GIVEN_UP:g} s")
            time.sleep(0.5)


def _take(
    browser: Browser, site: Site, into: Path, only: tuple[str, ...], pages: Callable[[Page, Site], Paths]
) -> Iterator[Path]:
    import os

    # The browser's loop runs in this thread, and a session is written to the database from it.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    cookie = site.session()
    for colours in ("light", "dark"):
        for width, height in WIDTHS.items():
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=colours,
                reduced_motion="reduce",
            )
            context.add_cookies([cookie])  # type: ignore[list-item]
            page = context.new_page()
            shots = context.new_cdp_session(page)
            for name, path in pages(page, site).items():
                if only and name not in only:
                    continue
                answer = page.goto(site.url + path)
                if answer is None or not answer.ok:
                    say(f"{name}: there is no page at {path}", err=True)
                    continue
                page.wait_for_load_state()
                yield _picture(shots, into / f"{name}-{width}-{colours}.webp")
            context.close()


def _pages(page: Page, site: Site) -> Paths:
    """Give the pages by name, with a message and an error that show much."""
    found = {"messages": "", "dead": "?state=dead"}
    page.goto(f"{site.url}?state=dead&consumer=datasets")
    found["message"] = _first(page, site)
    page.goto(f"{site.url}errors/")
    found["error"] = _first(page, site)
    return found | {
        "errors": "errors/",
        "statistics": "statistics/?span=week",
        "system": "system/",
        "again": "again/",
        "checks": "checks/",
        "alerts": "alerts/",
        "audit": "audit/",
        "views": "views/",
    }


def _dead_queues(page: Page, site: Site) -> Paths:
    """Give the page of the dead queues, and that of the latest letter that tells what it is about."""
    page.goto(f"{site.url}again/dead/")
    letter = page.locator("tbody tr", has=page.locator(".key")).first.locator("a").get_attribute("href") or ""
    return {"dead-queues": "again/dead/", "dead-letter": letter.removeprefix(site.root).removeprefix("/")}


def _first(page: Page, site: Site) -> str:
    link = page.locator("a.open").first.get_attribute("href") or ""
    return link.removeprefix(site.root).removeprefix("/")


def _picture(shots: CDPSession, file: Path) -> Path:
    """Take a picture as WebP, which Playwright itself does not write."""
    asked = {"format": "webp", "quality": QUALITY}
    try:
        said = shots.send("Page.captureScreenshot", asked)
    except Exception:  # chromium has not drawn the page yet, on a busy machine
        time.sleep(1)
        said = shots.send("Page.captureScreenshot", asked)
    file.write_bytes(base64.b64decode(said["data"]))
    return file
