"""The commands of the how-to guides do what they are there for."""

import json
import shlex

import pytest

from tests.docs.pages import ROOT, TUTORIAL, agrees, blocks, commands, installed
from tests.support import Site

PAGE = ROOT / "docs/how-to/handle-dead-messages.md"


@pytest.fixture
def facility(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Give the facility of the tutorial, with two messages in its dead queue."""
    monkeypatch.chdir(site.folder)
    installed(site)
    (configuration,) = (block.text for block in blocks(TUTORIAL) if block.file == "pacer.yaml")
    site.write(configuration)
    for body in ('{"proposal": "", "parcels": "many"}\n', "hello\n"):
        file = site.write(body, "broken.json")
        assert site.pacer("send", file).code == 0
    assert site.pacer("run", "--once").code == 1
    return site


def test_dead_messages_are_seen_sent_again_and_put_away_as_the_guide_says(facility: Site) -> None:
    letters = json.loads(facility.pacer("dead", "list", "--json").out)["letters"]
    (wanted,) = (letter["id"] for letter in letters if letter["fields"])
    for block in blocks(PAGE):
        for command in commands(block):
            pacer, *arguments = shlex.split(command.text.replace("tuoz4kjn", wanted))
            assert pacer == "pacer"
            ran = facility.pacer(*arguments)
            assert ran.code == 0, f"{block}: {command.text}\n{ran.both}"
            shown = ran.out.replace(wanted, "tuoz4kjn")
            assert not command.output or agrees(shown, command.output), f"{block}: {command.text}\n{ran.both}"
    assert facility.pacer("dead", "list").out.strip() == "no dead letters"
    (body,) = (facility.folder / "letters").glob("*.json")
    assert body.read_bytes() == b"hello\n"
    assert "ready" in facility.pacer("status").out
    assert json.loads(facility.pacer("status", "--json").out)["totals"]["ready"] == 1
