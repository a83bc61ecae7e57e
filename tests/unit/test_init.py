"""`pacer init`: a first configuration, asked for or not."""

import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pacer_core.cli import main
from tests.support import Site
from tests.unit.config_problems.parcel_post import POST

OLD = """
    brokers: {main: {protocol: amqp, host: rabbit, username: u, password: swordfish}}
    consumers:
      - className: UsersConsumer
        module: consumers.users
        enabled: true
        workers: 1
        queues: [u]
        integrations: [icat]
    queues: [{name: u, exchange: e, routingKey: k}]
    exchanges: [{name: e, type: direct}]
    integrations:
      icat: {enabled: true, server: {url: 'http://i', authPlugin: db, username: u, password: carrots}}
"""


@pytest.fixture
def post(site: Site) -> Site:
    site.install("acme-post", POST)
    return site


def ask(folder: Path, *answers: str) -> Result:
    return CliRunner().invoke(main, ["init", str(folder)], input="\n".join(answers) + "\n")


def test_without_a_question_it_writes_what_passes_config_check(post: Site) -> None:
    folder = post.folder / "etc"
    done = post.pacer("init", folder, "--yes")
    assert done.code == 0, done.both
    assert post.pacer("config", "check", "-c", folder / "pacer.yaml").code == 0
    text = (folder / "pacer.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=pacer.schema.json\n")
    assert (folder / "pacer.schema.json").is_file()
    assert "password: !file secrets/broker-password" in text
    for secret in (folder / "secrets").iterdir():
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "secrets").stat().st_mode) == 0o700


def test_every_option_that_has_to_be_said_has_the_words_of_its_plugin_above_it(post: Site) -> None:
    post.pacer("init", post.folder / "etc", "--yes")
    lines = (post.folder / "etc" / "pacer.yaml").read_text().splitlines()
    at = lines.index('    url: "https://icat.example.org"')
    assert lines[at - 1].startswith("    # The server")


def test_it_asks_what_the_facility_has_and_shows_no_password(post: Site) -> None:
    from pacer_core.plugins import load

    answers = ["amqp", "rabbit.example.org", "ingest", "pacer", "swordfish"]
    for name in sorted(load().integrations):
        answers += ["y", "https://scale.example.org"] if name == "scale" else ["n"]
    answers += ["y"] * 20
    done = ask(post.folder / "etc", *answers)
    assert done.exit_code == 0, done.output
    assert "swordfish" not in done.output
    text = (post.folder / "etc" / "pacer.yaml").read_text()
    assert 'host: "rabbit.example.org"' in text
    assert "{type: parcels, queues: [parcels], integrations: [scale]}" in text
    assert "icat" not in text.partition("integrations:")[2]
    assert (post.folder / "etc/secrets/broker-password").read_text() == "swordfish\n"


def test_nothing_is_written_over(post: Site) -> None:
    post.write("mine")
    done = post.pacer("init", post.folder, "--yes")
    assert done.code == 70
    assert "exists already" in done.err
    assert (post.folder / "pacer.yaml").read_text() == "mine"
    assert not (post.folder / "secrets").exists()
    assert post.pacer("init", post.folder, "--yes", "--force").code == 0


def test_it_may_begin_with_the_configuration_of_another_program(post: Site) -> None:
    old = post.write(OLD, "old.yaml")
    done = post.pacer("init", post.folder / "etc", "--from", old)
    assert done.code == 0, done.both
    assert (post.folder / "etc/secrets/broker-password").read_text() == "swordfish\n"
    assert (post.folder / "etc/pacer.service").is_file()
    assert post.pacer("config", "check", "-c", post.folder / "etc/pacer.yaml").code == 0


def test_the_unit_names_the_configuration_and_is_one_that_systemd_takes(post: Site) -> None:
    post.pacer("init", post.folder / "etc", "--yes")
    unit = post.folder / "etc" / "pacer.service"
    assert f"run --config {post.folder}/etc/pacer.yaml" in unit.read_text()
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert [line for line in done.stderr.splitlines() if "pacer.service:" in line] == []
