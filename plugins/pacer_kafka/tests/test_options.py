"""The options of the service, as a configuration has them: what is wrong is said at its place."""

from __future__ import annotations

import re

import pytest

from pacer_core import Secret
from pacer_kafka import KafkaOptions, Topic
from tests.support import Site

CONFIG = """
    brokers: {main: {host: localhost}}
    queues: [{name: nexus-files}, {name: requests}]
    services:
"""
SERVICE = "      - {{type: kafka, options: {{bootstrapServers: [kafka:9092], {options}}}}}\n"


def configuration(*services: str) -> str:
    """Give a configuration with services of such options, from line 5 on."""
    return CONFIG + "".join(SERVICE.format(options=options) for options in services)


@pytest.mark.parametrize(
    "wrong",
    [
        [
            ("topics: []", "names no topic"),
            ("topics: [{name: a/b}]", "'name' is not accepted: should be the name of a topic"),
            ("topics: [{name: a}, {name: a, take: [pl72]}]", "names a topic twice"),
            ("topics: [{name: a, take: []}]", "takes nothing"),
            ("topics: [{name: a, take: [wrdm]}]", "no plugin decodes 'wrdm' (there are: json, pl72, wrdn)"),
            ("topics: [{name: a, take: [json]}]", "should say where JSON goes: {json: CONSUMER-OR-QUEUE}"),
            (
                "topics: [{name: a, to: {pl72: requests}}]",
                "says where 'pl72' goes, which 'take' does not name",
            ),
            (
                "topics: [{name: a}], librdkafka: {enable.auto.commit: true}",
                "PACER commits what its broker has",
            ),
            ("topics: [{name: a}], librdkafka: {group.id: b}", "should not have 'group.id': groupId has it"),
            ("topics: [{name: a}], librdkafka: {debug: [all]}", "should have text, a number, true or false"),
            ("topics: [{name: a}], unreadable: drop", "should be one of dead, count"),
            ("topics: [{name: a}], pauseAbove: 0", "'pauseAbove' is not accepted"),
        ],
        [
            ("topics: [{name: a, take: [pl72]}]", "no consumer or queue 'scicat-samples'"),
            ("topics: [{name: a, to: {wrdn: inbox}}]", "no consumer or queue 'inbox'"),
        ],
    ],
    ids=["options", "names"],
)
def test_options_that_are_wrong_are_said_with_their_place(site: Site, wrong: list[tuple[str, str]]) -> None:
    ran = site.pacer("config", "check", "-c", site.write(configuration(*(options for options, _ in wrong))))
    assert ran.code == 1
    for line, (_, said) in enumerate(wrong, 5):
        assert said in ran.out
        assert re.search(rf"pacer.yaml:{line}:\d+: error", ran.out), said


def test_a_topic_is_read_for_written_files_where_nothing_else_is_said(site: Site) -> None:
    options = "topics: [{name: ymir_filewriter}]"
    ran = site.pacer("config", "check", "-c", site.write(configuration(options)))
    assert "error" not in ran.out


@pytest.mark.parametrize(
    "name",
    [
        "sasl.password",
        "ssl.key.password",
        "ssl.keystore.password",
        "ssl.key.pem",
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.config",
    ],
)
def test_a_secret_that_stands_in_the_file_is_hidden_as_well(name: str) -> None:
    options = KafkaOptions(("kafka:9092",), (Topic("a"),), librdkafka={name: "horse-battery-9"})
    assert isinstance(options.librdkafka[name], Secret)
    assert "horse-battery-9" not in f"{options!r} {options.librdkafka}"


def test_what_is_no_secret_is_left_as_it_is() -> None:
    given = {"security.protocol": "SASL_SSL", "sasl.username": "pacer", "fetch.min.bytes": 1}
    assert KafkaOptions(("kafka:9092",), (Topic("a"),), librdkafka=given).librdkafka == given
