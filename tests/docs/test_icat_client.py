"""The page about the ICAT client: its examples give what they show, and its lists are complete."""

from __future__ import annotations

import doctest
import re

from pacer_core import Secret
from pacer_icat import IcatOptions, Objects, connect
from pacer_icat.query.operators import OPERATORS
from pacer_sandbox import IcatSandbox
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs/reference/icat-client.md"


def test_the_examples_of_the_page_give_what_they_show(icat_server: IcatSandbox) -> None:
    options = IcatOptions(icat_server.url, "simple", "root", Secret("secret"), time_zone="Europe/Berlin")
    runner = doctest.DocTestRunner()
    said: list[str] = []
    with connect(options) as icat:
        scope = {"icat": icat, "__name__": "page"}
        shown = [block for block in blocks(PAGE) if block.language == "pycon"]
        for block in shown:
            test = doctest.DocTestParser().get_doctest(block.text, scope, str(block), str(PAGE), block.line)
            test.globs = scope
            runner.run(test, out=said.append, clear_globs=False)
    assert len(shown) >= 8
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


def test_the_page_lists_every_operator_and_every_method() -> None:
    text = PAGE.read_text()
    table = text.partition("| operator |")[2].partition("\n\n")[0]
    listed = {
        name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line.partition(" | ")[0])
    }
    assert listed == set(OPERATORS)
    methods = {name for name in vars(Objects) if not name.startswith("_")}
    assert {name for name in methods if f"`{name}(" not in text} == set()
