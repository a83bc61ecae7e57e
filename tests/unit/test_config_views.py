"""A configuration seen in other ways: with its defaults, as a schema for editors, as a picture."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from pacer_core.config.schema import schema
from pacer_core.plugins import load
from tests.support import Site
from tests.unit.config_problems.parcel_post import POST

WHOLE = """
    brokers:
      main: {protocol: amqp, host: rabbit, username: pacer, password: !env BROKER_PASSWORD}
      recipients:
        - {name: institute, host: other, forwardingRules: [{fromExchange: office}]}
    exchanges: [{name: office, type: topic}]
    queues: [{name: parcels, exchange: office, routingKey: 'parcel.#'}, {name: letters}]
    integrations:
      scale: {url: http://scale, token: hunter22}
    consumers:
      - type: parcels
        queues: [parcels]
        integrations: [scale]
        options: {maxWeight: 2}
        taskOptions: {stamp: {ink: blue}}
      - {type: parcels, name: 'others <b>', queues: [letters], integrations: [scale], enabled: false}
"""


@pytest.fixture
def post(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("BROKER_PASSWORD", "swordfish")
    site.install("acme-post", POST)
    return site


def test_a_configuration_is_shown_with_its_defaults_and_without_its_secrets(post: Site) -> None:
    done = post.pacer("config", "show", "-c", post.write(WHOLE), "--json")
    assert done.code == 0, done.err
    assert not re.search("hunter22|swordfish", done.both)
    shown = json.loads(done.out)
    assert shown["brokers"]["main"]["password"] == "(secret)"
    assert shown["brokers"]["main"]["heartbeat"] == "30s"
    assert shown["integrations"]["scale"] == {
        "type": "scale", "url": "http://scale", "token": "(secret)", "timeout": "5s", "retries": 3,
    }  # fmt: skip
    assert shown["consumers"][0]["options"] == {"expressOnly": False, "maxWeight": 2.0}
    assert shown["consumers"][0]["taskOptions"] == {"stamp": {"ink": "blue"}}
    assert shown["consumers"][0]["retries"]["limit"] == 20


def test_as_yaml_it_says_the_same(post: Site) -> None:
    from ruamel.yaml import YAML

    config = post.write(WHOLE)
    text = post.pacer("config", "show", "-c", config).out
    assert YAML(typ="safe").load(text) == json.loads(post.pacer("config", "show", "-c", config, "--json").out)


def test_what_is_wrong_is_not_shown_but_said(post: Site) -> None:
    for command in ("show", "graph"):
        done = post.pacer("config", command, "-c", post.write("consumers: 3"))
        assert (done.code, done.out) == (78, "")


def errors(config: dict[str, Any]) -> list[str]:
    found = schema(load())
    jsonschema.Draft202012Validator.check_schema(found)
    validator = jsonschema.Draft202012Validator(found)
    return sorted(f"{'.'.join(map(str, one.path))}" for one in validator.iter_errors(config))


def consumer(**more: Any) -> dict[str, Any]:
    return {"consumers": [{"type": "parcels", "queues": ["a"], **more}]}


@pytest.mark.parametrize(
    ("config", "wrong"),
    [
        ({}, []),
        ({"consumer": []}, [""]),
        (consumer(options={"maxWeight": 2}), []),
        (consumer(options={"maxWeigth": 2}), ["consumers.0.options"]),
        (consumer(type="parcel"), ["consumers.0.type"]),
        ({"consumers": [{"type": "parcels"}]}, ["consumers.0"]),
        (consumer(taskOptions={"stamp": {"ink": 3}}), ["consumers.0.taskOptions.stamp.ink"]),
        (consumer(taskTimeout="15min"), []),
        (consumer(taskTimeout="soon"), ["consumers.0.taskTimeout"]),
        ({"integrations": {"scale": {"url": "u"}, "other": {"type": "scale", "url": "u"}}}, []),
        ({"integrations": {"scale": {"uri": "u"}}}, ["integrations.scale", "integrations.scale"]),
        ({"integrations": {"other": {"url": "u"}}}, ["integrations.other"]),
        ({"brokers": {"main": {"protocol": "amqp", "host": "h", "vHost": "/"}}}, []),
        ({"brokers": {"main": {"protocol": "smtp"}}}, ["brokers.main.protocol"]),
        ({"queues": [{"name": "q", "type": "durable"}]}, ["queues.0.type"]),
        ({"health": {"port": 70000}}, ["health.port"]),
    ],
)
def test_the_schema_knows_keys_types_and_choices(
    post: Site, config: dict[str, Any], wrong: list[str]
) -> None:
    assert errors(config) == wrong


def test_the_schema_is_written_with_the_line_that_makes_editors_use_it(post: Site) -> None:
    file = post.folder / "pacer.schema.json"
    done = post.pacer("config", "schema", "-o", file)
    assert (done.code, done.out) == (0, "")
    assert "# yaml-language-server: $schema=pacer.schema.json" in done.err
    assert json.loads(file.read_text()) == json.loads(post.pacer("config", "schema").out)


def test_the_schema_has_the_words_of_the_reference(post: Site) -> None:
    found = schema(load())
    assert "at the broker" in found["properties"]["queues"]["items"]["properties"]["name"]["description"]


def test_the_picture_leads_from_exchanges_to_ends(post: Site) -> None:
    lines = post.pacer("config", "graph", "-c", post.write(WHOLE)).out.splitlines()
    assert lines[0] == "flowchart LR"
    boxes = dict(re.findall(r'^    (n\d+)\["(.*)"\]$', "\n".join(lines), re.MULTILINE))
    names = {text: box for box, text in boxes.items()}
    arrows = {
        (first, second)
        for first, second in re.findall(r"^  (n\d+) -->\S* (n\d+)$", "\n".join(lines), re.MULTILINE)
    }
    for first, second in (
        ("office (topic)", "parcels"),
        ("weigh", "scale"),
        ("weigh", "stamp"),
        ("office (topic)", "broker institute"),
    ):
        assert any(boxes[a] == first and boxes[b] == second for a, b in arrows), (first, second)
    assert "others #60;b#62; (off)" in names
    assert any(line.startswith("  class ") for line in lines)


def test_the_drawing_is_svg_that_runs_nothing(post: Site, tmp_path: Path) -> None:
    file = tmp_path / "graph.svg"
    assert post.pacer("config", "graph", "-c", post.write(WHOLE), "-f", "svg", "-o", file).code == 0
    root = ElementTree.fromstring(file.read_text())
    tags = {one.tag.rpartition("}")[2] for one in root.iter()}
    assert tags == {"svg", "style", "defs", "marker", "path", "text", "g", "title", "rect"}
    boxes = [one for one in root.iter() if one.tag.endswith("rect")]
    places = [(one.get("x"), one.get("y")) for one in boxes]
    assert len(places) == len(set(places)) == 11  # no box hides another
