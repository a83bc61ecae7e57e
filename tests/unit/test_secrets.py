"""Secrets: no command, log, error or header ever shows one, wherever in a configuration it stands."""

import base64
import json
import logging
import re
from contextlib import closing
from typing import Any
from urllib.parse import quote

import pytest

from pacer_core import Secret
from pacer_core.config import load
from pacer_core.model.messages import Envelope
from pacer_core.model.secrets import redact, screen
from pacer_core.observe.logs.formats import Ecs, Plain
from pacer_core.transport.connection import connect
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.publish import Publisher
from pacer_core.transport.topology import declare
from pacer_core.work.clients import OpenIntegrations
from tests.support import Site, broker

CANARY = "c4n4ry-p@ss word/%\"'\\x"
POST = """
    from attrs import frozen
    from contextlib import contextmanager
    from pacer_core import ConsumerType, IntegrationType, Reject, Retry, NotYet, Secret, hookimpl, task

    @frozen
    class Parcel:
        number: str

    @frozen
    class ScaleOptions:
        url: str = ""
        token: Secret = Secret("nothing")

        def __attrs_post_init__(self):
            if "refuse" in self.url:
                raise ValueError(f"refused: {self.token.reveal()} and {self.url}")

    @contextmanager
    def open_scale(options):
        if "away" in options.url:
            raise ConnectionError(f"no way to {options.token.reveal()!r}")
        yield options

    SCALE = IntegrationType(name="scale", options=ScaleOptions, open=open_scale)

    @task(needs=[SCALE])
    def weigh(parcel, ctx):
        token = ctx[SCALE].token.reveal()
        ctx.log.warning("weighing with %s", token)
        ctx.log.warning("weighing with %r", ctx[SCALE])
        if parcel.number == "reject":
            raise Reject(f"rejected by {token}")
        if parcel.number == "retry":
            raise Retry(f"retry with {token!r}")
        if parcel.number == "not-yet":
            return NotYet(f"not yet {token}")
        raise RuntimeError(f"error with {token!r}")

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(name="parcels", message=Parcel, tasks=[weigh])

    @hookimpl
    def pacer_integrations():
        return [SCALE]
"""
CONFIG = """\
brokers:
  main: {protocol: memory, host: localhost, port: 5672, username: guest, password: guest, vHost: /x}
exchanges:
  - {name: post, type: topic, declare: active}
queues:
  - {name: parcels, exchange: post, routingKey: parcel.sent, type: classic}
integrations:
  scale: {type: scale, url: "http://localhost", token: t}
consumers:
  - {type: parcels, name: parcels, queues: [parcels], integrations: [scale], workers: 1, retries: {limit: 1}}
logging: {logLevel: DEBUG}
processes: {shutdownGrace: 1s}
plugins: {block: [nothing]}
"""
VALUES = [match.span(1) for match in re.finditer(r"(?:: |\[)([^\s,{}\[\]]+)", CONFIG)]


@pytest.fixture
def post(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    site.install("parcel-post", POST)
    monkeypatch.setenv("PACER_TEST_CANARY", CANARY)
    return site


def shown(text: str) -> bool:
    """Tell whether the canary is in a text, as it is or as programs spell such things."""
    spellings = [CANARY, repr(CANARY)[1:-1], json.dumps(CANARY)[1:-1], "c4n4ry"]
    return any(spelling in text for spelling in spellings)


def test_there_are_values_to_replace() -> None:
    assert len(VALUES) > 20


@pytest.mark.parametrize(("start", "end"), VALUES, ids=[CONFIG[slice(*span)] for span in VALUES])
def test_no_command_shows_a_secret_wherever_it_stands(post: Site, start: int, end: int) -> None:
    file = post.write(f"{CONFIG[:start]}!env PACER_TEST_CANARY{CONFIG[end:]}")
    body = post.write("{}", "parcel.json")
    assert not shown(post.pacer("config", "check", "-c", file).both)
    assert not shown(post.pacer("config", "check", "--json", "-c", file).both)
    assert not shown(post.pacer("send", "-c", file, body).both)


@pytest.mark.parametrize(
    "options", ["token: !env PACER_TEST_CANARY, url: refuse", "url: !env PACER_TEST_CANARY"]
)
def test_options_that_quote_a_secret_are_reported_without_it(post: Site, options: str) -> None:
    file = post.write(CONFIG.replace('url: "http://localhost", token: t', options))
    assert not shown(post.pacer("config", "check", "-c", file).both)


def test_a_secret_in_plain_sight_of_the_file_is_one_as_well(post: Site) -> None:
    file = post.write(CONFIG.replace('localhost", token: t', 'refuse", token: c4n4ry-in-the-file'))
    done = post.pacer("config", "check", "-c", file)
    assert "refused: ***" in done.out


def test_syntax_errors_and_duplicate_keys_quote_no_value(post: Site) -> None:
    for bad in ("token: c4n4ry, token: c4n4ry", "token: 'c4n4ry", "token: [c4n4ry, {c4n4ry"):
        done = post.pacer("config", "check", "-c", post.write(CONFIG.replace("token: t", bad)))
        assert done.code == 1
        assert not shown(done.both), bad


@pytest.mark.parametrize("number", ["reject", "retry", "not-yet", "error"])
@pytest.mark.parametrize("url", ["http://localhost", "away"])
def test_no_task_takes_a_secret_into_its_outcome_or_a_log(
    post: Site, number: str, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    text = CONFIG.replace("token: t", "token: !env PACER_TEST_CANARY").replace("http://localhost", url)
    (plan,) = load(post.write(text)).consumers
    opened = OpenIntegrations()
    with caplog.at_level(logging.DEBUG, "pacer"):
        delivery = plan.pipeline.handle(
            Envelope(json.dumps({"number": number}).encode(), queue="parcels"), opened.clients(plan)
        )
    assert delivery.failures
    assert not shown(repr([delivery.failures, delivery.rejected, delivery.error]))


def test_a_run_writes_no_secret_to_its_log(post: Site, capfd: Any) -> None:
    text = CONFIG.replace("token: t", "token: !env PACER_TEST_CANARY")
    config = load(post.write(text))
    with closing(connect(broker("memory"), "test")) as connection:
        declare(connection, config)
    with closing(Publisher(config.broker)) as publisher:
        publisher.publish(
            [
                Outgoing("", "parcels", b'{"number": "%s"}' % number)
                for number in (b"reject", b"retry", b"error")
            ]
        )
    done = post.pacer("run", "--once", "-c", config.file)
    assert done.code == 1
    assert "weighing with ***" in done.err
    assert "weighing with ScaleOptions(url='http://localhost', token=Secret('***'))" in done.err
    assert not shown(done.both)


def test_a_secret_shows_as_stars() -> None:
    secret = Secret("c4n4ry-alone")
    assert [str(secret), repr(secret), f"{secret}", f"{secret!r}"] == ["***", "Secret('***')"] * 2
    assert secret.reveal() == "c4n4ry-alone"
    assert secret == Secret("c4n4ry-alone")
    assert len({secret, Secret("c4n4ry-alone"), Secret("c4n4ry-other")}) == 2


def test_a_longer_secret_is_hidden_before_one_that_is_a_part_of_it() -> None:
    Secret("c4n4ry-part")
    Secret("c4n4ry-part-and-whole")
    assert redact("the c4n4ry-part-and-whole") == "the ***"


def test_spellings_of_a_secret_are_hidden_too() -> None:
    Secret(CANARY)
    for spelling in (repr(CANARY), json.dumps(CANARY), quote(CANARY, safe=""), quote(CANARY)):
        assert not shown(redact(f"amqp://guest:{spelling}@localhost"))


def test_what_is_too_short_to_be_a_secret_is_left_alone() -> None:
    Secret("")
    Secret("it")
    assert redact("it is what it is") == "it is what it is"


@pytest.fixture
def no_other_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    from pacer_core.model import secrets

    for name in ("known", "_strong"):
        monkeypatch.setattr(secrets, name, set())
    monkeypatch.setattr(secrets, "_patterns", {})


@pytest.mark.usefixtures("no_other_secrets")
def test_a_password_that_is_a_word_is_hidden_as_a_word_in_what_others_say() -> None:
    Secret("wrong")
    for told in (
        "password wrong",
        "amqp://guest:wrong@host",
        "guest%3Awrong",
        r"'\nwrong'",
        "('u', 'wrong')",
    ):
        assert "wrong" not in redact(told), told
    assert redact("wrongly, strongwrong, wrong2.yaml") == "wrongly, strongwrong, wrong2.yaml"


@pytest.mark.usefixtures("no_other_secrets")
def test_our_own_words_are_left_alone() -> None:
    for word in ("wrong", "pacer", "5672"):
        Secret(word)
    text = "/etc/pacer/pacer.yaml: correct port 5672 where it is wrong"
    assert screen(text) == text


@pytest.mark.usefixtures("no_other_secrets")
def test_what_is_no_word_is_hidden_wherever_it_stands() -> None:
    Secret(CANARY)
    basic = base64.b64encode(f"guest:{CANARY}".encode()).decode()
    for told in (f"x{CANARY}y", f"Authorization: Basic {basic}", base64.b64encode(CANARY.encode()).decode()):
        hidden = redact(told)
        assert not shown(hidden)
        assert basic not in hidden
        assert base64.b64encode(CANARY.encode()).decode() not in hidden
    assert not shown(screen(f"ours: x{CANARY}y"))


@pytest.mark.usefixtures("no_other_secrets")
@pytest.mark.parametrize("formatter", [Plain(), Ecs()], ids=["plain", "json"])
def test_a_log_record_keeps_its_words_and_hides_what_was_put_into_them(formatter: logging.Formatter) -> None:
    Secret("wrong")

    def written(name: str, text: str, *values: Any) -> str:
        return formatter.format(logging.LogRecord(name, logging.INFO, "", 1, text, values, None))

    ours = written("pacer.worker", "%s: something is wrong %d times", ValueError("not wrong"), 3)
    assert "not ***: something is wrong 3 times" in ours
    assert "login ***" in written("amqp", "login wrong")


@pytest.mark.usefixtures("no_other_secrets")
def test_the_name_of_the_program_as_a_password_is_not_given_away(
    post: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACER_TEST_CANARY", "pacer")
    file = post.write(CONFIG.replace("token: t", "token: !env PACER_TEST_CANARY"), "pacer2.yaml")
    done = post.pacer("config", "check", "-c", file)
    assert f"{file} is fine" in done.out
    assert "***" not in done.out
