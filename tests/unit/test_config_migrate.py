"""`pacer config migrate`: configurations of other programs, by the plugins that read them."""

import json
import stat
from pathlib import Path

import pytest

from pacer_core import Migrated, Secret
from tests.support import Site

POSTMAN = """
    from attrs import frozen
    from pacer_core import (
        ConfigMigration, ConsumerType, Migrated, Note, PacerError, Secret, hookimpl, task,
    )

    @frozen
    class Parcel:
        number: str

    @task
    def weigh(parcel, ctx):
        pass

    def recognises(foreign):
        return foreign.text.startswith("[postman]")

    def migrate(foreign):
        lines = foreign.text.splitlines()
        if len(lines) < 2:
            raise PacerError(f"{foreign.file}: [postman] is empty")
        values = dict(line.split(" = ") for line in lines[1:])
        text = "# kept\\nbrokers: {main: {protocol: amqp, host: h, username: u, password: !secret broker}}\\n"
        text += "queues: [{name: parcels}]\\n"
        text += f"consumers: [{{type: {values.get('type', 'parcels')}, queues: [parcels]}}]\\n"
        text += f"# {values['password']}\\n" if "careless" in values else ""
        notes = Note(3, "colour has no counterpart", "left-out"), Note(2, "password is in brokers.main now")
        return Migrated(text, notes, {"broker": Secret(values["password"])})

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(name="parcels", message=Parcel, tasks=[weigh])

    @hookimpl
    def pacer_config_migrations():
        yield ConfigMigration(name="Postman", recognises=recognises, migrate=migrate)
"""
OLD = """\
[postman]
password = se"cr\\et of the post
colour = yellow
"""


@pytest.fixture
def post(site: Site) -> Site:
    site.install("acme-post", POSTMAN)
    return site


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_configuration_of_another_program_becomes_one_that_can_be_run(post: Site) -> None:
    old, new = post.write(OLD, "postman.ini"), post.folder / "pacer.yaml"
    done = post.pacer("config", "migrate", old, "-o", new)
    assert done.code == 0, done.err
    assert done.out == ""
    assert post.pacer("config", "check", "-c", new).code == 0
    assert mode(new) == 0o600
    assert done.err.splitlines() == [
        f"{old}:2: changed: password is in brokers.main now",
        f"{old}:3: left out: colour has no counterpart",
        f"{new}: written",
        f"{new} can be run",
    ]


def test_secrets_go_into_files_of_their_own_where_that_is_asked(post: Site) -> None:
    old, new = post.write(OLD, "postman.ini"), post.folder / "pacer.yaml"
    done = post.pacer("config", "migrate", old, "-o", new, "--secrets", post.folder / "my secrets")
    assert done.code == 0, done.err
    kept = post.folder / "my secrets" / "broker"
    assert kept.read_text() == 'se"cr\\et of the post\n'
    assert (mode(kept), mode(kept.parent)) == (0o600, 0o700)
    assert 'password: !file "my secrets/broker"' in new.read_text()
    assert "of the post" not in new.read_text() + done.both


def test_without_a_file_to_write_it_goes_to_standard_output(post: Site) -> None:
    done = post.pacer("config", "migrate", post.write(OLD, "postman.ini"))
    assert done.code == 0
    assert done.out.startswith("# kept\nbrokers:")
    assert r'password: "se\"cr\\et of the post"' in done.out
    assert "of the post" not in done.err


def test_a_secret_that_stays_behind_in_a_comment_is_pointed_out(post: Site) -> None:
    old = post.write(OLD + "careless = yes\n", "postman.ini")
    done = post.pacer("config", "migrate", old, "-o", post.folder / "p.yaml", "--secrets", post.folder / "s")
    assert f"{old}: to do: line 5 of the new file still holds what was moved into broker" in done.err


def test_what_is_left_to_a_person_is_what_config_check_says(post: Site) -> None:
    old, new = post.write(OLD + "type = letters\n", "postman.ini"), post.folder / "pacer.yaml"
    done = post.pacer("config", "migrate", old, "-o", new, "--json")
    assert done.code == 1
    told = json.loads(done.out)
    assert [note["kind"] for note in told["notes"]] == ["changed", "left-out"]
    (problem,) = told["problems"]
    assert "unknown consumer type 'letters'" in problem


def test_files_that_are_there_are_not_written_over(post: Site) -> None:
    old, new = post.write(OLD, "postman.ini"), post.write("mine", "pacer.yaml")
    done = post.pacer("config", "migrate", old, "-o", new)
    assert (done.code, new.read_text()) == (70, "mine")
    assert "say --force" in done.err
    assert post.pacer("config", "migrate", old, "-o", new, "--force").code == 0
    assert mode(new) == 0o600  # it holds a password now


def test_a_file_of_no_known_program_is_refused_with_the_programs_there_are(post: Site) -> None:
    done = post.pacer("config", "migrate", post.write("colour: yellow\n", "other.yaml"))
    assert done.code == 70
    assert "is not recognised" in done.err
    assert "Postman" in done.err


def test_a_file_that_is_not_recognised_is_read_by_the_program_that_is_named(post: Site) -> None:
    other = post.write("[Postman]\npassword = of the post\n", "other.ini")
    assert post.pacer("config", "migrate", other, "--from", "postman").code == 0
    done = post.pacer("config", "migrate", other, "--from", "postmen")
    assert done.code == 70
    assert "did you mean 'Postman'?" in done.err


def test_two_programs_that_recognise_a_file_are_named(post: Site) -> None:
    post.install("acme-mail", POSTMAN.replace('"Postman"', '"Mailman"').replace('"parcels"', '"mails"'))
    done = post.pacer("config", "migrate", post.write(OLD, "postman.ini"))
    assert done.code == 70
    assert "--from" in done.err
    assert "Mailman" in done.err


def test_what_a_plugin_cannot_read_is_said_in_its_words(post: Site) -> None:
    old = post.write("[postman]\n", "postman.ini")
    done = post.pacer("config", "migrate", old)
    assert (done.code, done.err) == (70, f"error: {old}: [postman] is empty\n")


def test_json_and_the_configuration_do_not_share_standard_output(post: Site) -> None:
    assert post.pacer("config", "migrate", post.write(OLD, "postman.ini"), "--json").code == 2


def test_a_text_cannot_name_a_secret_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="not given: broker"):
        Migrated("password: !secret broker", secrets={"other": Secret("abc")})
