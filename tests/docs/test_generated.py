"""What is generated and committed is what the code says, and links lead somewhere."""

import re
from pathlib import Path

import pytest

from docs import errors, generate, pictures
from pacer_core.config.problems import Code
from pacer_core.observe.metrics import KINDS, PLACES
from tests.docs.pages import PAGES, ROOT, blocks

REFERENCE = ROOT / "docs" / "reference"
GENERATED = {
    *("configuration.md", "command-line.md", "transports.md", "errors.md"),
    *("headers.md", "hooks.md", "metrics.md", "dashboard-settings.md", "dashboard-api.md"),
}


def test_the_committed_reference_is_what_the_code_says(tmp_path: Path) -> None:
    generate.write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} >= GENERATED
    stale = [one.name for one in tmp_path.iterdir() if one.read_text() != (REFERENCE / one.name).read_text()]
    assert stale == [], "run: python docs/generate.py"


def test_the_committed_pictures_are_what_their_source_draws(tmp_path: Path) -> None:
    pictures.write(tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_text() == (pictures.FOLDER / path.name).read_text(), "run: python docs/pictures.py"


def test_every_picture_is_on_a_page_with_its_words() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    for picture in pictures.PICTURES:
        assert re.search(rf"!\[{re.escape(picture.alt)}\]\([./]*_static/pictures/{picture.name}\.svg\)", text)


def test_every_code_and_kind_has_its_meaning_and_what_to_do() -> None:
    said = errors.messages()
    assert set(errors.MEANINGS) == set(errors.ADVICE) == set(Code)
    assert [code for code in Code if not said[code]] == []
    assert set(errors.KINDS) == set(KINDS)
    assert set(errors.PLACES) - {"consumer"} == set(PLACES)


def test_a_metric_that_a_page_names_is_in_the_reference() -> None:
    there = set(re.findall(r"^\| `(pacer_\w+)`", (REFERENCE / "metrics.md").read_text(), re.MULTILINE))
    readmes = (ROOT / "plugins").glob("*/README.md")
    assert there
    for page in (*PAGES, *readmes):
        assert set(re.findall(r"\bpacer_\w+_(?:total|seconds)\b", page.read_text())) <= there, page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_is_there(page: Path) -> None:
    text = page.read_text()
    for block in blocks(page):
        text = text.replace(block.text, "")
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        if not path.exists() or (anchor and path.suffix == ".md" and anchor not in _anchors(path)):
            wrong.append(target)
    assert wrong == []


def _anchors(page: Path) -> set[str]:
    """Give what headings are called in links, as GitHub and MyST do."""
    found = set(re.findall(r"^\((\w[\w-]*)\)=$", page.read_text(), re.MULTILINE))
    for title in re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found
