"""The examples of every page are right, and what the reference lists is complete."""

import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import click
import jsonschema
import pytest

from docs import generate
from pacer_core import Capabilities, ConsumerType, Delivery, Envelope, Outcome, Secret, plugins
from pacer_core.cli import main
from pacer_core.config import check
from pacer_core.config.load import SECTIONS
from pacer_core.config.model import AMQP, NotYetPolicy, Retries
from pacer_core.config.reading import read
from pacer_core.config.schema import schema
from pacer_core.config.sections import camel
from pacer_core.model.messages import TaskFailure
from pacer_core.testing import deliver
from pacer_core.transport.retry_policy import decide
from pacer_icat import ICAT, IcatOptions
from pacer_sandbox import IcatSandbox
from tests.docs.pages import PAGES, ROOT, Block, blocks, installed
from tests.support import Site

REFERENCE = ROOT / "docs" / "reference"
BLOCKS = [block for page in PAGES for block in blocks(page)]
EXAMPLES = [block for block in BLOCKS if block.language == "python" and block.file is None]
CONFIGURATIONS = [block for block in BLOCKS if block.language == "yaml"]
BROKEN = [(block, after) for block, after in pairwise(BLOCKS) if "broken" in block.language]

# What a page leaves out to show one thing at a time.
COMPLETED = {
    "brokers": "brokers: {main: {host: localhost}}",
    "queues": "queues: [{name: shipments}, {name: icat-dataset-ingest}]",
    "consumers": "consumers: [{type: shipments, queues: [shipments]}]",
    "integrations": "integrations: {icat: {url: https://icat, authenticator: db, username: a, password: b}}",
    "exchanges": "exchanges: [{name: dataset-ingest-exchange}]",
}


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=str)
def test_a_configuration_on_a_page_is_accepted(
    block: Block, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(site)
    for name in re.findall(r"!env (\w+)", block.text):
        monkeypatch.setenv(name, "value")
    text = block.text
    for path in re.findall(r"!file ([\w/.-]+)", text):
        text = text.replace(path, Path(path).name)
        site.write("value\n", Path(path).name)
    given = set(re.findall(r"^(\w+):", text, re.MULTILINE))
    if "queues" in given and "consumers" not in given:
        section = re.split(r"^(?=\w)", text.partition("queues:")[2], maxsplit=1, flags=re.MULTILINE)[0]
        names = re.findall(r"name: ([\w.-]+)", section)
        text += f"consumers: [{{type: shipments, queues: [{', '.join(names)}]}}]\n"
        given.add("consumers")
    text += "".join(f"{lines}\n" for key, lines in COMPLETED.items() if key not in given)
    _, problems = check(site.write(text))
    assert [str(one) for one in problems if one.severity == "error"] == []
    data = _revealed(read(site.folder / "pacer.yaml").data)
    assert [one.message for one in _validator().iter_errors(data)] == []


def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema(plugins.load()))


def _revealed(value: Any) -> Any:
    """Give plain data as an editor sees it: what has a tag is text."""
    if isinstance(value, dict):
        return {key: _revealed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_revealed(one) for one in value]
    return value.reveal() if isinstance(value, Secret) else value


@pytest.mark.parametrize(("block", "shown"), BROKEN, ids=str)
def test_a_broken_configuration_on_a_page_has_the_problems_shown(
    block: Block, shown: Block, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(site)
    site.write(block.text)
    monkeypatch.chdir(site.folder)
    _, problems = check(Path("pacer.yaml"))
    assert [str(one) for one in problems] == shown.text.splitlines()


def test_there_are_examples_on_the_pages() -> None:
    assert len(EXAMPLES) >= 3
    assert len(CONFIGURATIONS) >= 8
    assert BROKEN


@pytest.mark.parametrize("block", EXAMPLES, ids=str)
def test_an_example_on_a_page_runs(block: Block) -> None:
    exec(compile(block.text, str(block), "exec"), {"__name__": "example"})


def test_the_two_bodies_on_the_page_about_messages_give_the_same_message() -> None:
    found = {block.language: block.text for block in blocks(REFERENCE / "messages.md")}
    scope: dict[str, Any] = {"__name__": "example"}
    exec(found["python"], scope)
    consumer = ConsumerType(name="measurements", message=scope["Measurement"], tasks=[])
    in_json, in_xml = (deliver(consumer, found[language]).message for language in ("json", "xml"))
    assert in_json == in_xml
    assert in_json.parameters[0].name == "gain"


def test_the_delays_that_the_reference_names_are_those_of_the_defaults() -> None:
    seconds: list[int] = []
    retries = 0
    while len(seconds) < 100:
        envelope = Envelope(b"", "q", attempt=len(seconds) + 1, retries=retries, first_seen=datetime.now(UTC))
        failure = TaskFailure("task", "retry", "away")
        delivery = Delivery(envelope, "c", Outcome.RETRIED, failures=(failure,))
        verdict = decide(delivery, Retries(), NotYetPolicy())
        if verdict.step is None:
            break
        seconds.append(verdict.step)
        retries = verdict.retries
    page = " ".join((REFERENCE / "delivery.md").read_text().split())
    assert seconds == [1, 5, 60, 300, 300] + [3600] * 15
    assert "1 s, 5 s, 1 min, 5 min and 5 min, and then an hour each time; after 20 retries" in page


def test_the_generated_reference_describes_every_key_of_the_configuration() -> None:
    page = generate.configuration()
    assert list(generate.SECTION_CLASSES) == list(SECTIONS)
    pending = [cls for cls in generate.SECTION_CLASSES.values() if cls is not None]
    while pending:
        cls = pending.pop()
        _, words = generate.docstring(cls)
        for attribute in attrs.fields(cls):
            assert words.get(attribute.name), f"{cls.__name__}.{attribute.name} has no words in the docstring"
            assert f"| `{camel(attribute.name)}` |" in page
            assert attribute.type is not None
        assert set(words) == {attribute.name for attribute in attrs.fields(cls)}
        pending += generate.inside(cls).values()


def test_the_generated_table_of_brokers_has_what_each_kind_can_do() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in generate.transports().splitlines()
        if line.startswith("| ")
    ]
    kinds = [AMQP, *dict.fromkeys(plugins.load().transports.values())]
    assert rows[0][1:] == [", ".join(f"`{name}`" for name in kind.protocols) for kind in kinds]
    said = {name: cells for name, *cells in rows[1:]}
    for one in attrs.fields(Capabilities):
        can = ["yes" if getattr(kind.capabilities, one.name) else "no" for kind in kinds]
        assert said[one.name.replace("_", " ")] == can
        assert f"* *{one.name.replace('_', ' ')}*: " in generate.transports()


def test_the_generated_reference_has_every_command() -> None:
    page = generate.command_line()
    ctx = click.Context(main, info_name="pacer")
    assert {"run", "send", "config", "plugins"} <= set(main.list_commands(ctx))
    for name in main.list_commands(ctx):
        assert f"## `pacer {name}`" in page


@pytest.mark.parametrize(
    ("proposal", "outcome"), [("20250330096", Outcome.ACKED), ("unheard-of", Outcome.RETRIED)]
)
def test_the_plugin_of_the_readme_asks_icat(
    proposal: str, outcome: Outcome, icat_server: IcatSandbox
) -> None:
    (block,) = (block for block in EXAMPLES if block.page.name == "README.md")
    scope: dict[str, Any] = {"__name__": "example"}
    exec(block.text, scope)
    (shipments,) = scope["pacer_consumers"]()
    options = IcatOptions(icat_server.url, "simple", "root", Secret("secret"))
    assert ICAT.share is not None
    with ICAT.share(options) as shared, ICAT.open(options, shared) as client:
        body = f'{{"proposal": "{proposal}", "parcels": 1}}'
        delivery = deliver(shipments, body, integrations={ICAT: client}, twice=True)
    assert delivery.outcome is outcome
    assert [failure.kind for failure in delivery.failures] == (
        [] if outcome is Outcome.ACKED else ["not-yet"]
    )
