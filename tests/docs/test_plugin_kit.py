"""The tests that pages show to authors of plugins pass, beside the plugin of the tutorial."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import Any

import pytest

from pacer_core import hookspecs
from tests.docs.pages import PAGES, ROOT, Block, blocks, installed
from tests.support import Site

HOOKS = ROOT / "docs/reference/hooks.md"
OURS = "run-the-tests.md"
"""Is about the tests of this repository, which have more fixtures."""
SHOWN = [
    block
    for page in PAGES
    if page.name != OURS
    for block in blocks(page)
    if block.language == "python" and block.file is None and "\ndef test_" in f"\n{block.text}"
]


@pytest.mark.parametrize("block", SHOWN, ids=str)
def test_a_test_on_a_page_passes(block: Block, site: Site) -> None:
    installed(site)
    site.write(block.text, "test_shown.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:pyicat_plus", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=site.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_tests_on_the_pages() -> None:
    assert len(SHOWN) >= 2


def test_the_page_on_hooks_has_each_with_its_types() -> None:
    (shown,) = (block for block in blocks(HOOKS) if block.language == "python")
    scope: dict[str, Any] = {"__name__": "example"}
    exec(compile(shown.text, str(shown), "exec"), scope)
    there = {
        name: one for name, one in vars(hookspecs).items() if name.startswith("pacer_") and callable(one)
    }
    on_page = {name: one for name, one in scope.items() if name.startswith("pacer_")}
    assert {name: inspect.signature(one) for name, one in on_page.items()} == {
        name: inspect.signature(one) for name, one in there.items()
    }
    text = HOOKS.read_text()
    assert [name for name in there if f"autofunction:: {name}\n" not in text] == []
