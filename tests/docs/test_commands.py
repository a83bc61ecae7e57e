"""Commands on pages: those that no test executes at least exist, with all their options, and say why not."""

from __future__ import annotations

import re
import shlex

import click
import pytest

from pacer_core.cli import main
from tests.docs.pages import PAGES, ROOT, Block, blocks, commands

EXECUTED = {
    **dict.fromkeys(
        (
            f"docs/how-to/{name}.md"
            for name in (
                "find-out-what-is-wrong",
                "grow",
                "look-at-a-configuration",
                "plan-messages",
                "run-beside-icat-pacer",
                "set-up-a-facility",
            )
        ),
        "tests/docs/test_rehearsals.py",
    ),
    **dict.fromkeys(
        (
            f"docs/how-to/{name}.md"
            for name in ("files-into-scicat", "give-roles-in-the-dashboard", "install", "run-the-dashboard")
        ),
        "tests/docs/test_long_rehearsals.py",
    ),
    "docs/how-to/dead-queues.md": "tests/docs/test_how_to.py",
    "docs/how-to/take-messages-from-pyicat-plus.md": "tests/e2e/test_pyicat_plus.py",
    "docs/how-to/waiting.md": "tests/docs/test_how_to.py",
    **dict.fromkeys(
        (
            f"docs/how-to/{name}.md"
            for name in ("bundles-over-http", "files-from-a-folder", "messages-from-kafka", "run-on-redis")
        ),
        "tests/docs/test_servers.py",
    ),
    "docs/tutorials/first-plugin.md": "tests/docs/test_tutorials.py",
    "docs/tutorials/first-run.md": "tests/docs/test_tutorials.py",
    "README.md": "tests/docs/test_demo.py",
}
"""Pages whose commands are executed as they stand, and by what; a test says which of them it leaves out."""
BUSY = "shows a PACER with much in hand, and cut off from its broker; tests/e2e/test_status.py has both"
DASHBOARD = "plugins/pacer_dashboard/tests runs the dashboard's commands"
NOT_EXECUTED = {
    "docs/how-to/begin-a-plugin.md": "tests/unit/test_new_plugin.py runs the command with all its parts",
    "docs/how-to/checks-and-alerts.md": DASHBOARD,
    "docs/how-to/debug-a-task.md": "opens a debugger",
    "docs/how-to/monitoring.md": BUSY,
    "docs/how-to/package-a-plugin.md": "tests/docs/test_example_plugin.py builds and installs one",
    "docs/how-to/run-in-containers.md": "needs a container engine; tests/deploy does without",
    "docs/how-to/run-the-tests.md": "is the tests themselves",
    "docs/how-to/send-again-from-the-dashboard.md": DASHBOARD,
    "docs/how-to/turn-all-ends-on.md": "tests/e2e/test_all_ends.py runs the configuration",
    "docs/how-to/upgrade.md": "needs two releases, and systemd",
}
"""Why the commands of a page are not executed as they stand."""
OF_EXAMPLES = ("facility", "shipments")
"""Commands of plugins that pages make up."""
TEXTS = {page: page.read_text() for page in PAGES}
SHOWN = sorted(
    {
        (str(page.relative_to(ROOT)), line.strip())
        for page in PAGES
        for block in blocks(page)
        for line in re.findall(r"^\$ (.*)", block.text, re.MULTILINE)
        if line.startswith("pacer ")
    }
    | {
        (str(page.relative_to(ROOT)), span)
        for page, text in TEXTS.items()
        for span in re.findall(r"(?<!`)`(pacer [a-z][^`\n]*)`(?!`)", text)
    }
)


def test_every_page_with_commands_is_executed_or_says_why_not() -> None:
    with_commands = {
        str(page.relative_to(ROOT))
        for page in PAGES
        if any(block.language == "console" for block in blocks(page))
    }
    assert with_commands == EXECUTED.keys() | NOT_EXECUTED.keys()
    assert not EXECUTED.keys() & NOT_EXECUTED.keys()
    for test in EXECUTED.values():
        assert (ROOT / test).is_file()
    assert [str(block) for page in PAGES for block in blocks(page) if _hides_commands(block)] == []
    for reason in NOT_EXECUTED.values():
        for path in re.findall(r"\b(?:tests|plugins)/[\w/.]+", reason):
            assert (ROOT / path).exists(), path


def test_what_installs_pacer_says_from_where_since_pypi_has_another_one() -> None:
    wanted = re.compile(r"pacer(-[a-z-]+)?(\[[a-z,]+\])?(==.+)?")
    bare = [
        f"{block}: {one.text}"
        for page in (*PAGES, *(ROOT / "plugins").glob("*/README.md"), *(ROOT / "examples").rglob("*.md"))
        for block in blocks(page)
        if block.language == "console"
        for one in commands(block)
        if re.search(r"\bpip (install|download|wheel) ", one.text)
        and any(wanted.fullmatch(word) for word in shlex.split(one.text)[1:])
        and not re.search(r" -c \S*dist/constraints\.txt | --find-links ", one.text)
    ]
    assert bare == []


def _hides_commands(block: Block) -> bool:
    return block.language != "console" and block.text.startswith("$ ")


@pytest.mark.parametrize(("page", "line"), SHOWN, ids=lambda one: one)
def test_a_command_on_a_page_exists_with_its_options(page: str, line: str) -> None:
    one = re.split(r" [|&]|;|&&|\s#\s| > | \\$", line.replace("...", ""))[0].replace("'", "")
    words = shlex.split(one)[1:]
    command: click.Command = main
    ctx = click.Context(main, info_name="pacer")
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        name = words.pop(0)
        names = re.split(r"[|/]", name)  # `pacer dead list|show`
        if name in OF_EXAMPLES:
            return
        found = [command.get_command(ctx, one) for one in names if re.fullmatch(r"[a-z-]+", one)]
        if not found and not re.fullmatch(r"[a-z-]+", name):
            return  # a word that stands for one
        assert None not in found, f"{page}: {line}"
        command = next(one for one in found if one is not None)
    known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)} | {
        "--help",
        "-h",
    }
    given = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    assert given <= known, f"{page}: {line}"
