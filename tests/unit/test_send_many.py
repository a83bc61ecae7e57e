"""`pacer send`: patterns, standard input, and not too fast."""

import io
import sys
from types import SimpleNamespace

import pytest

from tests.support import Site
from tests.unit.test_plugins import PARCELS

SQLITE = """
    brokers: {main: {protocol: sqlite, path: %s}}
    queues: [{name: parcels}]
    consumers: [{type: parcels, queues: [parcels]}]
"""


@pytest.fixture
def post(site: Site) -> Site:
    site.install("acme-post", PARCELS)
    site.write(SQLITE % (site.folder / "broker.db"))
    for folder in ("run-1", "run-2"):
        (site.folder / folder / "deep").mkdir(parents=True)
        for name in ("a.json", "deep/b.json", "notes.txt"):
            (site.folder / folder / name).write_text('{"number": "7"}')
    return site


def send(post: Site, *arguments: str) -> tuple[int, list[str]]:
    done = post.pacer("send", "-c", post.folder / "pacer.yaml", *arguments)
    return done.code, done.both.splitlines()


def test_a_pattern_is_every_file_that_it_names(post: Site) -> None:
    code, lines = send(post, f"{post.folder}/run-*/*.json")
    assert code == 0
    assert [line.partition(": ")[0] for line in lines] == [
        f"{post.folder}/run-1/a.json", f"{post.folder}/run-2/a.json",
    ]  # fmt: skip


def test_two_stars_go_into_folders(post: Site) -> None:
    _, lines = send(post, f"{post.folder}/**/*.json")
    assert len(lines) == 4


def test_a_pattern_of_nothing_is_a_mistake(post: Site) -> None:
    code, lines = send(post, f"{post.folder}/run-*/*.xml")
    assert code == 2
    assert "is neither a file, nor a pattern of any" in lines[-1]


def test_standard_input_is_one_message(post: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from pacer_core.cli import main

    arguments = ["send", "-c", str(post.folder / "pacer.yaml"), "-"]
    done = CliRunner().invoke(main, arguments, input=b'{"number": "8"}')
    assert done.exit_code == 0
    assert done.stdout.startswith("-: confirmed, correlation id ")
    assert post.pacer("run", "--once", "-c", post.folder / "pacer.yaml").code == 0


def test_a_rate_holds_back(post: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    now = [0.0]

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        now[0] += seconds

    from pacer_core.cli.send import _paced

    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=sleep)
    monkeypatch.setitem(_paced.__globals__, "time", clock)
    assert len(list(_paced([post.folder] * 4, 2.0))) == 4
    assert waited == [0.0, 0.5, 0.5, 0.5]


def test_no_progress_is_shown_where_nobody_looks(post: Site, capsys: pytest.CaptureFixture[str]) -> None:
    from pacer_core.cli.send import _paced

    assert not sys.stderr.isatty() or isinstance(sys.stderr, io.TextIOBase)
    assert len(list(_paced([post.folder] * 30, None))) == 30
    assert capsys.readouterr() == ("", "")
