"""What commands say of mistakes, and that none begins its work with an error."""

import json

import pytest

from pacer_core.config import ConfigError, check, load
from pacer_core.plugins import load as load_plugins
from tests.support import Site
from tests.unit.config_problems.parcel_post import FINE, TRACK


def test_loading_raises_what_checking_reports(post: Site) -> None:
    file = post.write(FINE.replace("memory", "mqtt"))
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert list(caught.value.problems) == check(file)[1]
    assert str(caught.value) == "\n".join(map(str, check(file)[1]))


def test_a_warning_does_not_stop_a_run(post: Site) -> None:
    text = FINE.replace("queues:\n", "queues:\n  - {name: attic}\n", 1)
    file = post.write(text)
    assert [one.severity for one in check(file)[1]] == ["warning"]
    assert load(file).consumers
    assert post.pacer("config", "check", "-c", file).code == 0


def test_the_command_prints_every_problem_and_their_number(post: Site) -> None:
    file = post.write(FINE.replace("memory", "mqtt").replace("[scale]", "[scale, sclae]"))
    done = post.pacer("config", "check", "-c", file)
    assert done.code == 1
    assert done.out.splitlines() == [*map(str, check(file)[1]), "2 errors"]


def test_the_command_says_which_tasks_run_and_what_those_left_out_would_need(post: Site) -> None:
    post.install("parcel-track", TRACK)
    done = post.pacer("config", "check", "-c", post.write(FINE))
    assert done.out.splitlines()[1:] == [
        "parcels reads parcels: weigh, stamp",
        "  left out without lorry: load, unload",
    ]


def test_the_command_says_which_consumers_are_switched_off(post: Site) -> None:
    text = FINE.replace("queues:\n", "queues:\n  - {name: attic}\n", 1)
    text += "  - {type: parcels, name: old, enabled: false, queues: [attic], integrations: [scale]}\n"
    done = post.pacer("config", "check", "-c", post.write(text))
    assert done.out.splitlines()[-1] == "old is switched off: messages gather in attic"


def test_the_command_gives_problems_as_json(post: Site) -> None:
    file = post.write(FINE.replace("memory", "mqtt"))
    (problem,) = json.loads(post.pacer("config", "check", "-c", file, "--json").out)
    installed = ", ".join(sorted({"amqp", "amqps", *load_plugins().transports}))
    assert problem == {
        "file": str(file),
        "line": 2,
        "column": 20,
        "message": f"unknown protocol 'mqtt'; installed: {installed}",
        "code": "unknown-name",
        "severity": "error",
    }


def test_no_run_and_no_send_begins_with_a_configuration_that_has_errors(post: Site) -> None:
    file = post.write(FINE.replace("memory", "mqtt"))
    for command in (["run"], ["run", "--once"], ["send", str(file)]):
        done = post.pacer(*command, "-c", file)
        assert done.code == 78
        assert done.err.splitlines() == [str(one) for one in check(file)[1]]


def test_a_task_that_is_left_out_is_told_with_those_that_no_longer_wait_for_it(post: Site) -> None:
    done = post.pacer(
        "config", "check", "-c", post.write(FINE.replace("[scale]}", "[scale], leaveOut: [weigh]}"))
    )
    assert done.out.splitlines()[1:] == [
        "parcels reads parcels: stamp",
        "  left out on purpose: weigh",
        "  stamp runs without waiting for weigh, which it would come after",
    ]


def test_places_that_cannot_be_written_are_found_by_the_check_and_by_the_doctor(post: Site) -> None:
    (post.folder / "taken").touch()
    log = post.folder / "taken" / "pacer.log"
    file = post.write(FINE + f"logging: {{file: {{enabled: true, path: {log}}}}}\n")
    done = post.pacer("config", "check", "-c", file)
    assert done.code == 1
    assert f"pacer.yaml:11:39: error: {log} cannot be written" in done.out
    doctor = post.pacer("doctor", "-c", file)
    assert doctor.code == 69
    assert "name another place as logging.file.path" in doctor.out


def test_a_folder_without_anything_to_send_is_an_error(post: Site) -> None:
    (post.folder / "empty").mkdir()
    file = post.write(FINE.replace("memory", f"sqlite, path: {post.folder / 'broker.db'}"))
    done = post.pacer("send", "-c", file, post.folder / "empty")
    assert done.code == 2
    assert "holds no file to send" in done.err


def test_the_files_of_a_folder_are_sent(post: Site) -> None:
    (post.folder / "messages").mkdir()
    for name in ("a.json", "b.json"):
        (post.folder / "messages" / name).write_text("{}")
    file = post.write(FINE.replace("memory", f"sqlite, path: {post.folder / 'broker.db'}"))
    done = post.pacer("send", "-c", file, post.folder / "messages")
    assert [line.partition(":")[0].rpartition("/")[2] for line in done.out.splitlines()] == [
        "a.json",
        "b.json",
    ]
