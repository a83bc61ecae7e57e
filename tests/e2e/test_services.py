"""Services: somebody else's plugin, installed by pip, whose processes bring messages in."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import amqp
import pytest

from tests.e2e.test_health import Seen
from tests.faults.processes import alive
from tests.lab import Lab
from tests.services import RabbitMQ
from tests.services.base import free_port
from tests.support import Running, Site, eventually

PLUGIN = Path(__file__).parents[1] / "third_party" / "lines_pacer"
QUEUES = "name: jobs}, {name: inbox"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Have pip install the third party's plugin once, from a copy of its folder."""
    folder = tmp_path_factory.mktemp("built")
    source = shutil.copytree(PLUGIN, folder / "source")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    here = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(folder / "site")]
    subprocess.run([*pip, *here, str(source)], check=True)
    return folder / "site"


@pytest.fixture
def installed(site: Site, built: Path) -> Site:
    """A site with the third party's plugin."""
    shutil.copytree(built, site.folder, dirs_exist_ok=True)
    return site


@pytest.fixture
def seen() -> Seen:
    """Where PACER is seen from outside."""
    return Seen(free_port())


Run = Callable[..., Running]


def configure(lab: Lab, seen: Seen, services: str = "", to: str = "inbox") -> None:
    """Write a configuration with services."""
    services = services or f"type: lines, options: {{file: {lines(lab)}, to: {to}}}"
    lab.configure(queue=QUEUES, more=f"services: [{{{services}}}]\nhealth: {{port: {seen.port}}}")


@pytest.fixture
def run(installed: Site, lab: Lab, seen: Seen) -> Run:
    """Start PACER with services, and wait until they are ready."""

    def run(services: str = "", *, wait: bool = True, to: str = "inbox") -> Running:
        configure(lab, seen, services, to)
        running = lab.site.start("run", "-c", lab.file)
        if wait:
            eventually(seen.ready, 90, lambda: f"{seen.get('/readyz')}\n{running.printed}")
        return running

    return run


def lines(lab: Lab) -> Path:
    """Where the lines are that the service sends."""
    return lab.site.folder / "lines.txt"


def write(lab: Lab, *texts: str) -> None:
    """Add lines."""
    with lines(lab).open("a") as file:
        file.write("".join(f"{text}\n" for text in texts))


def bodies(lab: Lab, queue: str = "inbox") -> list[str]:
    """Take what has come into a queue."""
    return [bytes(one.body).decode() for one in lab.take(queue)]


def bodies_where_there_is(lab: Lab) -> list[str]:
    """Take what has come into a queue that may not be there."""
    try:
        return bodies(lab)
    except amqp.NotFound:
        return []


def started_again(running: Running, times: int) -> bool:
    """Say whether the service has been started so often."""
    return running.printed.count("service lines-1 started") >= times


def reasons(seen: Seen) -> str:
    """Give why PACER is not ready."""
    text = seen.get("/readyz")[2]
    return str(json.loads(text)["reasons"]) if text else ""


def service(running: Running, number: int = -1) -> int:
    """Give the process id of a service that was started."""
    return int(re.findall(r"service \S+ started with process id (\d+)", running.printed)[number])


def test_a_service_of_a_third_party_sends_its_lines_to_a_consumer(lab: Lab, run: Run, seen: Seen) -> None:
    write(lab, '{"name": "first"}', '{"name": "second"}')
    running = run(to="jobs")
    eventually(lambda: lab.counted["other second 1"] == 1, 30, lambda: running.printed)
    metrics = seen.metrics()
    assert metrics["pacer_service_published_total", "lines"] == 2
    assert metrics["pacer_service_counted_total", "lines", "lines"] == 2
    assert metrics["pacer_worker_ready", "service:lines-1"] == 1
    status = lab.site.pacer("status", "-c", lab.file)
    assert re.search(r"^service:lines-1 +running ", status.out, re.MULTILINE)
    assert "1 worker, 1 service" in status.out
    assert "service:lines-1 has published 2 messages" in status.out
    told = json.loads(lab.site.pacer("status", "-c", lab.file, "--json").out)["supervisor"]["workers"][1]
    assert (told["kind"], told["state"], told["published"]) == ("service", "running", 2)
    assert running.end() == 0


def test_what_a_service_publishes_is_persistent_and_has_its_headers_and_an_id(lab: Lab, run: Run) -> None:
    write(lab, "one")
    running = run()
    eventually(lambda: lab.waiting("inbox") == 1)
    (message,) = lab.take("inbox")
    properties = message.properties
    headers = {**properties["application_headers"]}
    headers.pop("x-delivery-count", None)  # RabbitMQ 3.10 counts what was never returned as well
    assert headers == {"x-line": 1}
    assert properties["message_id"] == properties["correlation_id"] == "lines.txt-1"
    assert properties["delivery_mode"] == 2
    assert running.end() == 0


def test_a_service_that_is_killed_goes_on_where_it_was(lab: Lab, run: Run, seen: Seen) -> None:
    write(lab, *map(str, range(300)))
    running = run()
    for kill in range(3):
        eventually(lambda: lab.waiting("inbox") > 0)
        os.kill(service(running), signal.SIGKILL)
        eventually(partial(started_again, running, kill + 2), 60)
    eventually(lambda: lab.waiting("inbox") >= 300 and seen.ready(), 120, lambda: running.printed)
    counts = Counter(bodies(lab))
    assert set(counts) == set(map(str, range(300)))
    assert counts.total() <= 303
    assert seen.metrics()["pacer_worker_crashes_total", "service:lines-1"] == 3
    assert running.end() == 0


def test_a_service_that_raises_is_started_again_later_and_is_seen_in_health(
    lab: Lab, run: Run, seen: Seen
) -> None:
    write(lab, "before", "raise", "after")
    running = run(wait=False)
    eventually(lambda: "again in 1 s" in running.printed, 60, lambda: running.printed)
    eventually(lambda: "service lines-1 is down: ValueError at lines_pacer.plugin:" in reasons(seen))
    assert "Lovelace" not in running.printed + reasons(seen)
    lines(lab).write_text("before\nand on\nafter\n")
    eventually(seen.ready, 60)
    eventually(lambda: lab.waiting("inbox") == 3)
    assert bodies(lab) == ["before", "and on", "after"]
    assert running.end() == 0


def test_a_service_that_returns_untold_is_started_again_and_is_seen_in_health(
    lab: Lab, run: Run, seen: Seen
) -> None:
    running = run("type: leaves", wait=False)
    eventually(lambda: "again in 1 s" in running.printed, 60, lambda: running.printed)
    assert "service leaves returned although nobody has told it to stop" in running.printed
    eventually(lambda: "service leaves-1 is down: returned although" in reasons(seen))
    assert running.end() == 0


def test_a_service_tells_in_health_what_hinders_it(lab: Lab, run: Run, seen: Seen) -> None:
    running = run(wait=False)
    hindered = f"service lines-1 is hindered: {lines(lab)} is not there: make it"
    eventually(lambda: hindered in reasons(seen), 30, lambda: running.printed)
    write(lab, "at last")
    eventually(seen.ready, 60)
    assert running.end() == 0


def test_a_service_waits_for_a_broker_that_is_away_and_drops_nothing(
    lab: Lab, run: Run, seen: Seen, start_rabbitmq: Callable[..., RabbitMQ]
) -> None:
    lab.node, lab.vhost = start_rabbitmq(), "/"
    write(lab, *map(str, range(50)))
    running = run()
    eventually(lambda: lab.waiting("inbox") == 50)
    lab.node.kill()
    write(lab, *map(str, range(50, 100)))
    eventually(lambda: "service lines-1 is disconnected: cannot connect to" in reasons(seen))
    lab.node.start()
    eventually(seen.ready, 60, lambda: running.printed)
    eventually(lambda: lab.waiting("inbox") >= 100)
    assert set(bodies(lab)) == set(map(str, range(100)))
    assert running.end() == 0


def test_a_service_that_is_told_to_stop_while_the_broker_is_away_leaves_its_source_as_it_is(
    lab: Lab, run: Run, seen: Seen, start_rabbitmq: Callable[..., RabbitMQ]
) -> None:
    lab.node, lab.vhost = start_rabbitmq(), "/"
    write(lab, "sent")
    running = run()
    eventually(lambda: lab.waiting("inbox") == 1)
    lab.node.kill()
    write(lab, "kept")
    eventually(lambda: "is disconnected" in reasons(seen))
    assert running.end() == 0
    assert "fails" not in running.printed
    assert (lab.site.folder / "state/services/lines/position-1").read_text() == "1"
    lab.node.start()
    running = run()
    eventually(lambda: lab.waiting("inbox") == 2)
    assert bodies(lab) == ["sent", "kept"]
    assert running.end() == 0


def test_a_queue_that_somebody_removes_is_declared_again_for_a_service(lab: Lab, run: Run) -> None:
    write(lab, "one")
    running = run()
    eventually(lambda: lab.waiting("inbox") == 1)
    lab.channel.queue_delete("inbox")
    write(lab, "two")
    running.wait_for("no queue takes messages")
    eventually(lambda: bodies_where_there_is(lab) == ["two"])
    assert running.end() == 0


def test_a_service_waits_for_room_in_a_full_queue(lab: Lab, run: Run, seen: Seen) -> None:
    lab.node.ctl(
        "set_policy", "-p", lab.vhost, "full", "^inbox$", '{"max-length":2,"overflow":"reject-publish"}'
    )
    write(lab, *map(str, range(6)))
    running = run(wait=False)
    eventually(lambda: "service lines-1 is refused: the broker refused" in reasons(seen))
    lab.node.ctl("clear_policy", "-p", lab.vhost, "full")
    found = Counter[str]()
    eventually(lambda: found.update(bodies(lab)) or len(found) == 6, 60, lambda: f"{found}{running.printed}")
    assert running.end() == 0


def test_a_message_that_is_too_large_is_the_service_s_to_deal_with(lab: Lab, run: Run, seen: Seen) -> None:
    lab.node.ctl("eval", "application:set_env(rabbit, max_message_size, 5000).")
    lab.node.ctl("eval", "persistent_term:put(max_message_size, 5000).")
    try:
        write(lab, "x" * 9000, "small")
        running = run()
        eventually(lambda: lab.waiting("inbox") == 1, 30, lambda: running.printed)
        assert bodies(lab) == ["small"]
        assert seen.metrics()["pacer_service_counted_total", "lines", "refused"] == 1
        assert running.end() == 0
    finally:
        lab.node.ctl("eval", "application:set_env(rabbit, max_message_size, 16777216).")
        lab.node.ctl("eval", "persistent_term:put(max_message_size, 16777216).")


def test_each_instance_is_a_process_that_knows_its_number(lab: Lab, run: Run, seen: Seen) -> None:
    write(lab, "one")
    running = run(f"type: lines, name: twofold, instances: 2, options: {{file: {lines(lab)}, to: inbox}}")
    eventually(lambda: lab.waiting("inbox") == 2, 60)
    names = [one["name"] for one in json.loads(seen.get("/status")[2])["workers"]]
    assert names == ["jobs-1", "service:twofold-1", "service:twofold-2"]
    assert seen.metrics()["pacer_service_published_total", "twofold"] == 2
    assert running.end() == 0


def test_services_run_without_any_consumer_here(installed: Site, lab: Lab, seen: Seen) -> None:
    write(lab, "one")
    configure(lab, seen)
    text = lab.file.read_text()
    lab.file.write_text(re.sub(r"consumers:\n.*\n", "", text).replace("{name: jobs}, ", ""))
    checked = lab.site.pacer("config", "check", "-c", lab.file)
    assert checked.out.splitlines() == [
        f"{lab.file} is fine: 1 service (lines) at amqp://127.0.0.1:{lab.node.port}/{lab.vhost}",
        "lines (lines, 1 process) publishes to inbox",
    ]
    running = lab.site.start("run", "-c", lab.file)
    eventually(lambda: bodies_where_there_is(lab) == ["one"], 60, lambda: running.printed)
    assert running.end() == 0
    once = lab.site.pacer("run", "--once", "-c", lab.file)
    assert (once.code, "has no consumers" in once.err) == (2, True)


def test_a_service_ends_with_its_supervisor(lab: Lab, run: Run) -> None:
    write(lab, "one")
    running = run()
    process = service(running)
    running.process.kill()
    running.process.wait()
    eventually(lambda: not alive(process))


def test_a_service_that_does_not_end_is_killed(lab: Lab, run: Run) -> None:
    write(lab, "one", "hang")
    running = run()
    eventually(lambda: lab.waiting("inbox") == 1)
    assert running.end(60) == 0
    assert "does not end; killed" in running.printed


def test_once_says_that_services_do_not_run(installed: Site, lab: Lab, seen: Seen) -> None:
    write(lab, '{"name": "never"}')
    configure(lab, seen, to="jobs")
    done = lab.site.pacer("run", "--once", "-c", lab.file)
    assert done.code == 0
    assert "services do not run with --once or --inline: left out lines" in done.err
    assert lab.effects == []


def test_the_doctor_asks_a_service_whether_it_could_run(installed: Site, lab: Lab, seen: Seen) -> None:
    configure(lab, seen)
    ran = lab.site.pacer("doctor", "-c", lab.file, "--json")
    (finding,) = (one for one in json.loads(ran.out)["findings"] if one["kind"] == "service")
    assert ran.code == 69
    assert finding["detail"] == f"{lines(lab)} is not there"
    assert finding["advice"] == f"make it (services: lines in {lab.file})"
    write(lab, "one")
    ran = lab.site.pacer("doctor", "-c", lab.file)
    assert (ran.code, f"{lines(lab)} is there" in ran.out) == (0, True)


CHECKED = """
    brokers: {main: {host: localhost}}
    queues: [{name: jobs}, {name: inbox}]
    consumers: [{type: forward, name: forwarder, queues: [jobs]}]
    services:
"""


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{type: line}", ": error: unknown service type 'line' (did you mean 'lines'?); installed: "),
        ("{type: lines, options: {to: inbox}}", "error: 'file' is missing [missing]"),
        (
            "{type: lines, options: {file: a, to: inbx}}",
            "6:42: error: no consumer or queue 'inbx' (did you mean 'inbox'?)",
        ),
        ("{type: lines, instances: 0, options: {file: a, to: inbox}}", "'instances' should be 1 or more"),
        (
            "{type: lines, options: {file: a, to: inbox, at: 1}}",
            "unknown key 'at' (there are: atOnce,",
        ),
        ("{type: lines, options: {file: a, to: inbox, atOnce: 0}}", "'atOnce' is not accepted"),
        ("{type: leaves, options: {a: 1}}", "service type 'leaves' has no options"),
        ("{type: leaves}, {type: leaves}", "service 'leaves' is there twice: give each a 'name'"),
        ("{name: nameless}", "'type' is missing"),
        ("{type: leaves, workers: 2}", "unknown key 'workers'"),
        ("7", "error"),
    ],
)
def test_what_is_wrong_with_a_service_is_said_with_its_place(
    installed: Site, entry: str, problem: str
) -> None:
    entries = "".join(f"      - {one}\n" for one in re.split(r"(?<=\}), (?=\{)", entry))
    done = installed.pacer("config", "check", "-c", installed.write(CHECKED + entries))
    assert done.code == 1
    assert problem in done.out


def test_a_service_needs_a_broker_that_other_processes_see(installed: Site) -> None:
    text = CHECKED.replace("host: localhost", "protocol: memory") + "      - {type: leaves}\n"
    done = installed.pacer("config", "check", "-c", installed.write(text))
    assert ": error: a service is a process of its own, but protocol 'memory' cannot serve more" in done.out


def test_a_queue_that_only_a_service_names_is_used(installed: Site) -> None:
    text = CHECKED + "      - {type: lines, options: {file: a, to: inbox}}\n"
    done = installed.pacer("config", "check", "-c", installed.write(text))
    assert (done.code, "no consumer reads" in done.out) == (0, False)
    assert "1 consumer (forwarder) and 1 service (lines)" in done.out


def test_the_service_types_of_a_plugin_are_listed(installed: Site) -> None:
    (told,) = (
        one
        for one in json.loads(installed.pacer("plugins", "list", "--json").out)["plugins"]
        if one["name"] == "lines"
    )
    assert told["version"] == "3.1"
    assert told["registers"] == {"services": ["lines", "leaves"], "hooks": ["pacer_services"]}


def test_two_plugins_that_offer_one_service_type_are_an_error(installed: Site) -> None:
    other = """
        from pacer_core import ServiceType, hookimpl

        @hookimpl
        def pacer_services():
            return [ServiceType("lines", None, run=print)]
    """
    installed.install("other-lines", other)
    done = installed.pacer("plugins", "list")
    assert "'lines' (services) is registered by lines-pacer 3.1 and by other-lines 1.0" in done.out
