"""``pacer dashboard screenshots``: the pictures of the documentation, made of the pages as they are."""

from __future__ import annotations

import base64
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pacer_core import say

if TYPE_CHECKING:
    from playwright.sync_api import Browser, CDPSession, Page

    from pacer_dashboard.testing_site import Site

MESSAGES = 1500
"""How many messages there are in the pictures, one in seven minutes."""
WIDTHS = {1440: 900, 390: 844}
QUALITY = 60


@click.command(short_help="Make the documentation's pictures of all pages.")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder.")
@click.option("--chromium", default="/usr/bin/chromium", show_default=True, help="The browser.")
@click.option("--only", multiple=True, help="The names of the pages; all without it.")
def screenshots(into: Path, chromium: str, only: tuple[str, ...]) -> None:
    """Show each page in light and dark, at 1440 and 390 pixels, as WebP.

    The messages in them are made up, by the same seed each time. It needs Python's playwright and a chromium.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise click.ClickException("pictures need a browser: pip install playwright") from None
    from pacer_dashboard.place import Place
    from pacer_dashboard.testing import database, fill
    from pacer_dashboard.testing_site import Site

    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pacer-dashboard-pictures-") as name:
        place = Place(folder=Path(name))
        with database(place):
            fill(MESSAGES, start=datetime.now(UTC) - timedelta(minutes=7 * MESSAGES))
        site = Site(place, Path(name))
        site.start()
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                for file in _take(browser, site, into, only):
                    say(f"{file} ({file.stat().st_size // 1024} KiB)")
                browser.close()
        finally:
            site.stop()


def _take(browser: Browser, site: Site, into: Path, only: tuple[str, ...]) -> Iterator[Path]:
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
            for name, path in _pages(page, site).items():
                if only and name not in only:
                    continue
                answer = page.goto(site.url + path)
                if answer is None or not answer.ok:
                    say(f"{name}: there is no page at {path}", err=True)
                    continue
                page.wait_for_load_state()
                yield _picture(shots, into / f"{name}-{width}-{colours}.webp")
            context.close()


def _pages(page: Page, site: Site) -> dict[str, str]:
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
