"""Signatures of copies: what they cover, what the wire may do to them, and where their keys come from."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from amqp.serialization import dumps, loads
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from pacer_core import BadField, Delivery, Envelope, Outcome, Secret
from pacer_core.config import load
from pacer_core.config.model import Config, NotYetPolicy, Retries
from pacer_core.model.errors import BrokerError
from pacer_core.model.messages import TaskFailure
from pacer_core.transport.copies import copy_headers, copy_properties, dead_headers, renewed_headers
from pacer_core.transport.envelope_reading import read_envelope, reader
from pacer_core.transport.headers import own_headers
from pacer_core.transport.outgoing import Outgoing
from pacer_core.transport.retry_policy import decide
from pacer_core.transport.signing import Signer, Source, signer_for, weaknesses
from tests.support import Site

SIGNER = Signer(Source("process", "a test's key", lambda: (b"k" * 32,)))
texts = st.text(max_size=30)
tables = st.dictionaries(st.text(min_size=1, max_size=10), texts, max_size=4)


def other_order(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Give headers as a broker may give them back: over the wire, and tables in another order."""
    ((table,), _) = loads("F", dumps("F", [headers]), 0)
    return {
        name: dict(reversed(value.items())) if isinstance(value, dict) else value
        for name, value in reversed(table.items())
    }


@settings(deadline=None)
@given(
    st.lists(texts, max_size=5).map(tuple),
    tables,
    st.dictionaries(texts, texts, max_size=4),
    tables,
    st.dictionaries(st.sampled_from(["message_id", "content_type", "app_id"]), texts),
    st.binary(max_size=50),
)
def test_every_copy_that_is_signed_is_known_again(
    done: tuple[str, ...],
    rejected: dict[str, str],
    facts: dict[str, str],
    foreign: dict[str, str],
    properties: dict[str, str],
    body: bytes,
) -> None:
    envelope = Envelope(
        body, "jobs", "post", "sent", headers=foreign, properties=properties,
        correlation_id="c", first_seen=datetime.now(UTC), path=("a",), original={"CC": ["x"]},
    )  # fmt: skip
    failures = (TaskFailure("a", "error", "\ud800", (BadField("f", "\U0001f600"),), trace="t"),)
    delivery = Delivery(
        envelope, "jobs", Outcome.RETRIED, done=done, rejected=rejected, facts=facts, failures=failures
    )
    for headers in (copy_headers(delivery, 3, 7), dead_headers(delivery, 3, "why"), renewed_headers(
        evolve(envelope, done=done, rejected=rejected, facts=facts), "jobs")):  # fmt: skip
        copy = SIGNER.signed(Outgoing("", "jobs", body, headers, copy_properties(envelope)), "jobs")
        again = other_order(copy.headers)
        assert SIGNER.proof("jobs", body, copy.properties, own_headers(again)) == "signed"
        assert SIGNER.proof("job", body, copy.properties, own_headers(again)) == "forged"
        assert SIGNER.proof("jobs", body + b" ", copy.properties, own_headers(again)) == "forged"


deep: Any = "x"
for _ in range(100_000):
    deep = [deep]


@pytest.mark.parametrize("value", [deep, b"\xff", {1: 2, "a": 3}, float("nan"), object()], ids=str.__class__)
def test_what_pacer_never_writes_is_forged_and_breaks_nothing(value: Any) -> None:
    own = {"version": 1, "signature": "AAAA", "anything": value}
    assert SIGNER.proof("jobs", b"", {}, own) == "forged"


def test_a_message_without_headers_of_ours_is_not_asked_about() -> None:
    def never(*_: Any) -> bool:
        raise AssertionError

    for headers in ({}, {"colour": "red"}, {"x-pacer-path": ["a"], "x-pacer-correlation-id": "c"}):
        assert reader("jobs", {}, {}, headers, never)(b"a").restarts == 0


def test_two_copies_that_differ_in_their_bodies_alone_are_looked_at_each() -> None:
    copy = SIGNER.signed(Outgoing("", "jobs", b"one", {"x-pacer-version": 1, "x-pacer-done": ["a"]}), "jobs")
    envelope = reader("jobs", {}, {}, copy.headers, SIGNER.believes)
    assert [envelope(body).done for body in (b"one", b"two", b"one")] == [("a",), (), ("a",)]


def test_what_is_not_believed_counts_its_restarts() -> None:
    headers = {"x-pacer-version": 1, "x-pacer-retries": 5, "x-pacer-restarts": 20, "x-pacer-signature": "A"}
    envelope = read_envelope(b"", "jobs", {}, {}, headers, SIGNER.believes)
    assert (envelope.restarts, envelope.retries, envelope.attempt) == (21, 0, 1)
    delivery = Delivery(envelope, "jobs", Outcome.RETRIED, failures=(TaskFailure("a", "retry", "no"),))
    assert decide(delivery, Retries(), NotYetPolicy()).outcome is Outcome.RETRIED
    more = evolve(delivery, envelope=evolve(envelope, restarts=22))
    for kind, outcome in (("retry", Outcome.DEAD), ("not-yet", Outcome.DEAD), ("away", Outcome.RETRIED)):
        failed = evolve(more, failures=(TaskFailure("a", kind, "no"),))
        assert decide(failed, Retries(), NotYetPolicy()).outcome is outcome, kind


CONFIG = """
    brokers: {{main: {broker}}}
    queues: [{{name: jobs}}]
    consumers: [{{type: forward, queues: [jobs]}}]
    processes: {{stateFolder: {state}{more}}}
"""


def configured(site: Site, broker: str, more: str = "", name: str = "pacer.yaml") -> Config:
    return load(site.write(CONFIG.format(broker=broker, state=site.folder / "state", more=more), name))


def key_of(config: Config) -> str:
    return signer_for(config).fingerprint


def test_all_hosts_with_one_account_have_one_key_and_no_other_account_has_it(site: Site) -> None:
    one = "{host: one, username: pacer, password: long secret, vHost: icat}"
    same = one.replace("host: one", "hosts: [two, three]")
    assert key_of(configured(site, one)) == key_of(configured(site, same, name="other.yaml"))
    assert not (site.folder / "state").exists(), "nothing is kept"
    for was, now in (("pacer", "publisher"), ("long secret", "another"), ("icat", "visa")):
        assert key_of(configured(site, one.replace(was, now))) != key_of(configured(site, one)), now


@pytest.mark.parametrize(
    ("broker", "warned"),
    [
        ("{host: localhost}", False),
        ("{host: rabbit.example.org}", True),
        ("{host: rabbit.example.org, username: guest, password: guest}", True),
        ("{host: rabbit.example.org, username: pacer, password: long secret}", False),
    ],
)
def test_a_key_that_other_hosts_cannot_have_is_warned_of(site: Site, broker: str, warned: bool) -> None:
    signer = signer_for(configured(site, broker))
    assert bool(weaknesses(signer)) is warned
    given = configured(site, broker, ", signingKeys: [sixteen letters and more]")
    assert weaknesses(signer_for(given)) == []


def test_everybody_who_makes_a_key_at_once_has_the_same(site: Site) -> None:
    config = configured(site, "{host: localhost}")
    with ThreadPoolExecutor(16) as threads:
        assert len(set(threads.map(lambda _: key_of(config), range(100)))) == 1
    folder = config.state_folder
    assert [one.name for one in folder.iterdir()] == ["signing.key"]
    assert os.stat(folder / "signing.key").st_mode & 0o777 == 0o600


def test_a_key_file_that_is_none_or_that_others_read_is_told(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    config = configured(site, "{host: localhost}")
    key_of(config)
    file = config.state_folder / "signing.key"
    file.chmod(0o640)
    with caplog.at_level(logging.WARNING):
        key_of(config)
    assert "chmod 600" in caplog.text
    file.write_bytes(b"short")
    with pytest.raises(BrokerError, match="remove it"):
        key_of(config)
    file.unlink()
    file.mkdir()
    with pytest.raises(BrokerError, match="signingKeys"):
        key_of(config)


def test_no_key_is_shown(site: Site) -> None:
    config = configured(site, "{host: h}", ", signingKeys: [do not show this to anybody]")
    signer = signer_for(config)
    signer.ready()
    shown = f"{signer} {signer.source} {signer.told} {config.processes}"
    assert "do not show" not in shown
    assert config.processes.signing_keys == (Secret("do not show this to anybody"),)
    assert "b'" not in shown
