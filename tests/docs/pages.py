"""The fenced blocks of a page, as a reader meets them: files to write, and commands with what they print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from tests.support import Site

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
TUTORIAL = ROOT / "docs/tutorials/first-plugin.md"

_FENCE = re.compile(
    r"^(?P<fence>```+)(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=fence)[ ]*$", re.DOTALL | re.MULTILINE
)
_FILE = re.compile(r"\binto\s+`([^`]+)`:$")


@frozen
class Block:
    """One fenced block, and its file where the text above ends in "into `FILE`:"."""

    page: Path
    line: int
    language: str
    text: str
    file: str | None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@frozen
class Command:
    """One command of a console block, with what it should print; nothing said, nothing expected."""

    text: str
    output: str


def blocks(page: Path) -> Iterator[Block]:
    """Give the blocks of a page in their order."""
    text = page.read_text()
    for match in _FENCE.finditer(text):
        before = text[: match.start()].rstrip("\n")
        file = _FILE.search(before)
        yield Block(
            page,
            text.count("\n", 0, match.start()) + 1,
            match["language"].strip(),
            match["text"],
            file[1] if file and text[: match.start()].endswith("\n\n") else None,
        )


def commands(block: Block) -> Iterator[Command]:
    """Give the commands of a console block; each begins with ``$ ``, and goes on after a last ``\\``."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        whole = re.match(r"(?:.*\\\n)*.*", part)
        assert whole is not None
        yield Command(whole[0], part[whole.end() :].removeprefix("\n"))


def agrees(output: str, expected: str) -> bool:
    """Tell whether a program printed what a page shows.

    ``...`` stands for anything within its line, with the blanks that fill its column, and in a line of its
    own for any lines.
    """
    given, wanted = (
        "".join(f"{line.rstrip()}\n" for line in text.strip().splitlines()) for text in (output, expected)
    )
    parts = re.split(r"^ *\.\.\.\n", wanted, flags=re.MULTILINE)
    patterns = [".*".join(map(re.escape, re.split(r"\.\.\. *", part))) for part in parts]
    return re.fullmatch(r"(?s:.*)".join(patterns), given) is not None


def installed(site: Site) -> None:
    """Put the plugin of the tutorial where PACER finds it, without pip."""
    (plugin,) = (block.text for block in blocks(TUTORIAL) if block.file == "facility_pacer/plugin.py")
    site.install("facility-pacer", plugin, entry="facility")
