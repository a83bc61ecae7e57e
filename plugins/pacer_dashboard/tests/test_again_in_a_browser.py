"""A whole round in a browser: a message edited and sent again, many sent with progress, and dead letters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pacer_dashboard.place import FILE, Place
from pacer_dashboard.testing_site import Site
from plugins.pacer_dashboard.tests.conftest import open_page
from plugins.pacer_dashboard.tests.test_again import EXCHANGE, channel, taken
from tests.services import RabbitMQ

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CONFIG = """
brokers: {{main: {{host: 127.0.0.1, port: {port}, username: guest, password: guest, vHost: {vhost}}}}}
exchanges: [{{name: datasets-exchange, type: direct}}]
queues: [{{name: datasets-queue, exchange: datasets-exchange, routingKey: datasets.sync}}]
consumers: [{{type: forward, name: datasets, queues: [datasets-queue]}}]
"""


@pytest.fixture(scope="module")
def served(
    rabbitmq: RabbitMQ, sqlite_files: dict[str, Path], tmp_path_factory: Any
) -> Iterator[tuple[Site, Any]]:
    """A dashboard that knows a broker, and a channel there."""
    import shutil

    folder = tmp_path_factory.mktemp("again")
    shutil.copy(sqlite_files["filled"], folder / FILE)
    with rabbitmq.vhost() as vhost, channel(rabbitmq, vhost) as open_:
        config = folder / "pacer.yaml"
        config.write_text(CONFIG.format(port=rabbitmq.port, vhost=vhost))
        open_.exchange_declare(EXCHANGE, "direct", durable=True, auto_delete=False)
        for queue in ("datasets-queue", "datasets-queue.dead"):
            open_.queue_declare(queue, durable=True, auto_delete=False)
        open_.queue_bind("datasets-queue", EXCHANGE, "datasets.sync")
        site = Site(Place(folder=folder), folder, {"PACER_CONFIG": str(config)})
        site.start()
        yield site, open_
        site.stop()


@pytest.fixture
def page(browser: Browser, served: tuple[Site, Any]) -> Iterator[Page]:
    yield from open_page(browser, served[0].session())


def test_a_message_is_edited_and_sent_again(page: Page, served: tuple[Site, Any]) -> None:
    site, open_ = served
    page.goto(f"{site.url}?consumer=datasets&state=dead")
    page.locator("[data-row] a.open").first.click()
    origin = page.url.rsplit("/", 1)[1]
    page.get_by_role("link", name="Send again…").click()
    page.get_by_label("Payload").fill('{"sample": ')
    page.get_by_label("Why").fill("a field was wrong")
    page.get_by_role("button", name="Send again").click()
    assert "no JSON: line 1" in page.get_by_role("alert").inner_text()
    assert page.get_by_label("Payload").input_value() == '{"sample": '
    page.get_by_label("Payload").fill('{"sample": "quartz"}')
    page.get_by_role("button", name="Send again").click()
    page.wait_for_selector("#progress[data-state=done]")
    (message,) = taken(open_)
    assert message.body == '{"sample": "quartz"}'
    assert message.headers["pacer-again-origin"] == origin
    assert "1 of 1" in page.locator("#progress").inner_text()
    page.goto(f"{site.url}audit/")
    assert "a field was wrong" in page.locator("tbody").inner_text()


def test_all_that_a_filter_finds_is_sent_again_with_progress_and_failures_that_say_why(
    page: Page, served: tuple[Site, Any]
) -> None:
    site, open_ = served
    page.goto(f"{site.url}?state=dead")
    page.locator("[data-row] input[type=checkbox]").first.check()
    page.get_by_label("all that the filter finds").check()
    page.get_by_role("button", name="Send again…").click()
    assert "several types or consumers" in page.locator("#mixed-note").inner_text()
    page.get_by_label("Why").fill("all of them")
    page.get_by_label("Messages a second, at most").fill("100")
    page.get_by_role("button", name="Send again").click()
    page.wait_for_selector("#progress[data-state=done]")
    said = page.locator("#progress").inner_text()
    sent = taken(open_)
    assert f"sent {len(sent)}" in said
    assert len(sent) > 1
    page.get_by_role("link", name="failed").click()
    assert "users-exchange" in page.locator("#progress tbody").inner_text()


def test_dead_letters_are_sent_back_by_the_code_of_the_command(page: Page, served: tuple[Site, Any]) -> None:
    import amqp

    site, open_ = served
    for body in ("first", "second"):
        open_.basic_publish(amqp.Message(body, delivery_mode=2), routing_key="datasets-queue.dead")
    page.goto(f"{site.url}again/dead/")
    boxes = page.locator("tbody input[type=checkbox]")
    assert boxes.count() == 2
    boxes.first.check()
    page.get_by_label("Why").fill("tried once more")
    page.get_by_role("button", name="Replay").click()
    assert "1 confirmed by the broker" in page.locator(".note").first.inner_text()
    assert page.locator("tbody input[type=checkbox]").count() == 1
    assert len(taken(open_)) == 1


def test_letters_say_all_that_is_wrong_in_every_width(page: Page, served: tuple[Site, Any]) -> None:
    import amqp

    site, open_ = served
    open_.queue_purge("datasets-queue.dead")
    body = json.dumps({"name": "scan", "sample": {"name": "<b>quartz</b>"}})
    wrong = [f"parameters.{number}.value: is no number, and is not empty" for number in range(5)]
    headers = {"x-pacer-error": "parse: the message has bad fields", "x-pacer-fields": wrong}
    letter = amqp.Message(body, delivery_mode=2, application_headers=headers)
    open_.basic_publish(letter, routing_key="datasets-queue.dead")
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{site.url}again/dead/")
        assert all(one in page.locator("tbody").inner_text() for one in wrong)
        table = page.locator("table.letters")
        assert table.evaluate("table => table.scrollWidth <= table.parentElement.clientWidth")
        page.locator("tbody a").click()
        assert '  "sample": {\n    "name": "<b>quartz</b>"' in page.locator(".payload").inner_text()
    open_.queue_purge("datasets-queue.dead")


def test_a_program_looks_into_dead_queues_and_replays_and_discards(served: tuple[Site, Any]) -> None:
    import amqp
    import requests
    from django.contrib.auth.models import User

    from pacer_dashboard.access.tokens import make_token
    from pacer_dashboard.models.access import Role

    site, open_ = served
    open_.queue_purge("datasets-queue.dead")
    for body in ("good", "bad"):
        open_.basic_publish(amqp.Message(body, delivery_mode=2), routing_key="datasets-queue.dead")
    site.session()
    role = Role.objects.create(name="programs", administers=True)
    _, text = make_token(User.objects.get(username="operator"), role, "script", timedelta(days=1))
    shown, api = {"Authorization": f"Bearer {text}"}, f"{site.url}api/v1/dead"

    def ask(path: str = "", **body: Any) -> Any:
        url = f"{api}{path}"
        answer = (
            requests.post(url, headers=shown, timeout=60, json=body)
            if body
            else requests.get(url, headers=shown, timeout=60)
        )
        return answer.json()

    found = ask()
    assert (found["number"], found["consumers"], found["queues"]) == (2, ["datasets"], ["datasets-queue"])
    bodies = {ask(f"/letters/{one['id']}")["payload"]: one["id"] for one in found["letters"]}
    assert {*bodies} == {"good", "bad"}
    assert ask("?error=(a%2B)%2B%24")["number"] == 0
    done = ask("/replay", ids=[bodies["good"]], reason="tried once more")
    assert (done["done"], done["left"]) == (1, {})
    assert [one.body for one in taken(open_)] == ["good"]
    assert ask("/discard", all=True, reason="nobody wants it")["done"] == 1
    assert ask()["number"] == 0
