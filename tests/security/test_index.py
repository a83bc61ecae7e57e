"""The page on security names tests that are there, and all of this folder."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "security.md"
NAMED = set(re.findall(r"`((?:tests|plugins)/[\w/]+\.py)`", PAGE.read_text()))


def test_every_test_that_the_page_names_is_there() -> None:
    assert len(NAMED) > 20
    assert [name for name in sorted(NAMED) if "def test_" not in (ROOT / name).read_text()] == []


def test_every_row_of_what_is_tried_names_a_test() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    tried = rows[rows.index("| Tries | Holds | Tests |") :]
    assert [row for row in tried if row != "| Tries | Holds | Tests |" and ".py`" not in row] == []


def test_every_file_of_this_folder_is_on_the_page() -> None:
    here = {str(file.relative_to(ROOT)) for file in Path(__file__).parent.glob("test_*.py")}
    assert here - NAMED == {"tests/security/test_index.py"}
