"""Distributions that do not belong together are refused, with the line that mends it."""

from pathlib import Path

import pytest

import pacer_core
from tests.support import Site

PARCELS = """
    from attrs import frozen
    from pacer_core import ConsumerType, hookimpl, task

    @frozen
    class Parcel:
        number: str

    @task
    def weigh(parcel, ctx):
        pass

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(name="parcels", message=Parcel, tasks=[weigh])
"""
MEMORY = """
    brokers: {main: {protocol: memory}}
    queues: [{name: parcels}]
    consumers: [{type: parcels, queues: [parcels]}]
"""


@pytest.fixture
def post(site: Site) -> Site:
    site.install("acme-post", PARCELS, version="2.5")
    return site


def needs(post: Site, *needs: str) -> None:
    file = post.folder / "acme_post-2.5.dist-info" / "METADATA"
    file.write_text(file.read_text() + "".join(f"Requires-Dist: {one}\n" for one in needs))


def test_every_distribution_has_its_version_in_a_line(post: Site) -> None:
    done = post.pacer("--version")
    lines = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert lines[0] == f"pacer-core {pacer_core.__version__}"
    assert "acme-post 2.5" in lines
    assert f"pacer-http {pacer_core.__version__}" in lines  # no plugin itself, and needed by some


def test_what_fits_is_not_complained_about(post: Site) -> None:
    needs(
        post,
        "pacer-core>=0.1",
        "pacer-nobody-has>=5",
        "pacer-core>=9; extra == 'future'",
        "not a requirement",
    )
    assert post.pacer("config", "check", "-c", post.write(MEMORY)).code == 0


def test_a_plugin_of_another_release_is_refused_with_the_line_that_mends_it(post: Site) -> None:
    needs(post, "pacer-core>=9.1,<9.2")
    config = post.write(MEMORY)
    told = f"acme-post 2.5 needs pacer-core<9.2,>=9.1, and {pacer_core.__version__} is installed: pip install"
    for command in (("config", "check"), ("run", "--once"), ("doctor",)):
        done = post.pacer(*command, "-c", config)
        assert done.code in (1, 78)
        assert told in done.both
        assert "pip install --upgrade pacer-core acme-post" in done.both
    done = post.pacer("--version")
    assert done.code == 78
    assert told in done.err
    assert told in post.pacer("plugins", "list").out


def test_two_plugins_that_do_not_fit_each_other_are_refused(post: Site) -> None:
    post.install("acme-mail", PARCELS.replace("parcels", "mails"), version="1.0")
    needs(post, "Acme_Mail>=3")
    done = post.pacer("config", "check", "-c", post.write(MEMORY))
    assert done.code == 1
    assert "acme-post 2.5 needs Acme_Mail>=3, and 1.0 is installed" in done.out


def test_the_line_is_one_that_pip_takes(post: Site, tmp_path: Path) -> None:
    needs(post, "pacer-core>=9.1")
    (line,) = [one for one in post.pacer("--version").err.splitlines() if "pip install" in one]
    words = line.partition(": pip install --upgrade ")[2].split()
    assert words[0] == "pacer-core"
    assert "acme-post" in words
    assert len(words) == len(set(words))
