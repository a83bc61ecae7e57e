"""The tests that pages show to authors of plugins pass, beside the plugin of the tutorial."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.docs.pages import PAGES, Block, blocks, installed
from tests.support import Site

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
