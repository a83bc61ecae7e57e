"""The static site of all versions: what lies above their folders."""

import json
from pathlib import Path

import pytest

from tools import site


@pytest.mark.parametrize(
    ("versions", "first"),
    [(["0.3.0rc1", "0.2.0", "0.1.0"], "0.2.0"), (["0.1.0a1"], "latest"), ([], "latest")],
)
def test_the_switch_has_all_versions_and_the_first_page_is_the_newest_release(
    versions: list[str], first: str, tmp_path: Path
) -> None:
    site.lay_out(tmp_path, versions)
    shown = json.loads((tmp_path / "versions.json").read_text())
    assert [one["folder"] for one in shown] == ["latest", *versions]
    assert f'url={first}/"' in (tmp_path / "index.html").read_text()


def test_the_switch_reads_what_the_build_writes() -> None:
    script = (site.ROOT / "docs" / "_static" / "versions.js").read_text()
    assert "../versions.json" in script
    assert {"one.folder", "one.title"} <= set(script.replace(",", " ").replace("(", " ").split())
