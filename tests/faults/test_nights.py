"""Nights that nobody had named: what goes wrong around the workers, and that their supervisor survives."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import time
from pathlib import Path

import pytest

from pacer_core.work.crashes import Notes
from tests.faults.processes import alive, workers
from tests.lab import Lab
from tests.support import Running, eventually

ONE = "type: jobs, queues: [jobs], concurrency: 1"


def counts(lab: Lab) -> list[int]:
    """Give how many crashes each message was counted in."""
    file = lab.site.folder / "state" / "crashes.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    return [count for name, (count, _) in found.items() if not name.startswith("notes:")]


def started(lab: Lab) -> Running:
    """Start ``pacer run``, and wait until it reads its queues, however busy the machine is."""
    running = lab.site.start("run", "-c", lab.file)
    running.wait_for("reading ", 100)
    return running


def catches(running: Running, number: signal.Signals) -> bool:
    """Say whether a process has a handler for a signal: Python itself is up."""
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    mask = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(mask >> (number - 1) & 1)


def logged(running: Running, text: str, times: int = 1) -> None:
    eventually(lambda: running.printed.count(text) >= times, 60, lambda: running.printed)


def done(lab: Lab, running: Running, name: str) -> None:
    eventually(
        lambda: any(line.startswith(f"other {name} ") for line in lab.effects), 60, lambda: running.printed
    )


def test_a_death_is_counted_once_however_often_its_worker_fails_to_start(lab: Lab) -> None:
    running = started(lab)
    lab.publish({"name": "innocent", "first": "wait gate"})
    eventually(lambda: lab.held)
    plugin = lab.site.folder / "lab_pacer" / "plugin.py"
    good = plugin.read_text()
    plugin.write_text("an upgrade that went wrong")
    os.kill(workers(running)[0], signal.SIGKILL)
    logged(running, "ended with code", 3)
    plugin.write_text(good)
    lab.open_gate()
    done(lab, running, "innocent")

    assert counts(lab) == [1]
    assert lab.waiting("jobs.dead") == 0
    assert running.end() == 0


def test_a_death_that_cannot_be_written_down_is_counted_when_it_can(lab: Lab) -> None:
    running = started(lab)
    lab.publish({"name": "a", "first": "wait gate"})
    eventually(lambda: lab.held)
    in_the_way = lab.site.folder / "state" / "crashes.lock"
    in_the_way.unlink(missing_ok=True)
    in_the_way.mkdir()
    os.kill(workers(running)[0], signal.SIGKILL)
    logged(running, "worker jobs-1 cannot be started")
    assert len(workers(running)) == 1
    in_the_way.rmdir()
    lab.open_gate()
    done(lab, running, "a")

    assert counts(lab) == [1]
    assert running.end() == 0


def test_a_supervisor_that_gets_no_process_tries_again(lab: Lab) -> None:
    running = started(lab)
    resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, (6, 4096))
    os.kill(workers(running)[0], signal.SIGKILL)
    logged(running, "worker jobs-1 cannot be started")
    resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, (1024, 4096))
    lab.publish({"name": "a"})
    done(lab, running, "a")

    assert running.end() == 0


def test_notes_of_workers_have_their_room_on_the_disk(tmp_path: Path) -> None:
    Notes(tmp_path / "notes")
    stat = (tmp_path / "notes").stat()
    assert stat.st_blocks * 512 >= stat.st_size > 0


POOL = """
    import time
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path
    from attrs import frozen
    from pacer_core import ConsumerType, Text, hookimpl, task

    HERE = Path(__file__).parent.parent
    POOL = ThreadPoolExecutor(2)

    @frozen
    class Job:
        name: Text

    @task
    def pooled(job, ctx):
        if job.name == "stuck":
            POOL.submit(time.sleep, 3600).result()
        with open(HERE / "effects", "a") as file:
            file.write(f"other {job.name} 1\\n")

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(name="pooled", message=Job, tasks=[pooled])
"""


def test_a_worker_that_is_held_by_a_thread_of_a_library_is_ended_from_outside(lab: Lab) -> None:
    lab.site.install("pool-pacer", POOL)
    lab.configure(consumer="type: pooled, queues: [jobs], concurrency: 4, taskTimeout: 1s")
    lab.file.write_text(lab.file.read_text().replace("shutdownGrace: 5s", "shutdownGrace: 0s"))
    running = started(lab)
    lab.publish({"name": "stuck"})
    logged(running, "this worker is replaced")
    lab.publish({"name": "a"})
    done(lab, running, "a")

    assert "does not end; killed" in running.printed
    assert not alive(workers(running)[0])
    assert counts(lab) == []
    running.end(60)


def test_two_supervisors_with_one_state_folder_count_each_death_once(lab: Lab) -> None:
    lab.configure(consumer=f"{ONE}, prefetch: 1")
    first, second = started(lab), started(lab)
    assert "another `pacer run` has" in second.printed
    for number in range(4):
        lab.publish({"name": f"innocent{number}", "first": "sleep 0.5"})
    lab.publish({"name": "killer", "first": "sleep 1 kill"})
    for number in range(4, 12):
        lab.publish({"name": f"innocent{number}", "first": "sleep 0.5"})
    eventually(lambda: lab.waiting("jobs.dead"), 60, lambda: first.printed + second.printed)
    eventually(lambda: not lab.waiting())

    # One more than in a single process: the broker is faster than who counts.
    assert lab.counted["first killer 1"] in (3, 4)
    assert counts(lab) == [lab.counted["first killer 1"]]
    assert [json.loads(message.body)["name"] for message in lab.take()] == ["killer"]
    assert (first.end(), second.end()) == (0, 0)


def test_workers_get_the_configuration_that_was_checked_and_a_changed_file_is_told(lab: Lab) -> None:
    running = started(lab)
    lab.file.write_text(lab.file.read_text().replace("type: jobs, queues", "type: jobs, name: new, queues"))
    logged(running, "changed since it was read")
    os.kill(workers(running)[0], signal.SIGKILL)
    lab.publish({"name": "a"})
    done(lab, running, "a")

    assert "Traceback" not in running.printed
    assert running.end() == 0


def test_sighup_reads_the_configuration_again_and_drops_nothing(lab: Lab) -> None:
    running = started(lab)
    lab.publish({"name": "a", "first": "sleep 1"})
    eventually(lambda: lab.effects)
    lab.file.write_text(lab.file.read_text().replace("type: jobs, queues", "type: jobs, name: new, queues"))
    running.process.send_signal(signal.SIGHUP)
    logged(running, "worker new-1 started")
    lab.publish({"name": "b"})
    done(lab, running, "b")

    assert lab.counted["other a 1"] == 1
    assert running.end() == 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("type: jobs", "type: jibs", "jibs"),
        ("name: jobs}", "name: jobs, type: classic}", "exists with other arguments"),
    ],
)
def test_sighup_keeps_the_old_configuration_where_the_new_one_cannot_run(
    lab: Lab, old: str, new: str, said: str
) -> None:
    running = started(lab)
    lab.file.write_text(lab.file.read_text().replace(old, new))
    running.process.send_signal(signal.SIGHUP)
    logged(running, "cannot be used; the one before goes on")
    assert said in running.printed
    os.kill(workers(running)[0], signal.SIGKILL)
    lab.publish({"name": "a"})
    done(lab, running, "a")

    assert running.end() == 0


def test_a_hang_up_of_a_whole_process_group_harms_no_worker(lab: Lab) -> None:
    running = started(lab)
    os.kill(workers(running)[0], signal.SIGHUP)
    lab.publish({"name": "a"})
    done(lab, running, "a")

    assert "ended with code" not in running.printed
    assert running.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_is_told_to_end_while_it_starts_ends_in_order(lab: Lab, number: signal.Signals) -> None:
    lab.declare()
    for tenths in range(0, 20, 3):
        running = lab.site.start("run", "-c", lab.file)
        eventually(lambda running=running: catches(running, signal.SIGTERM))  # type: ignore[misc]
        time.sleep(tenths / 10)
        with contextlib.suppress(ProcessLookupError):
            running.process.send_signal(number)
            time.sleep(0.05)
            running.process.send_signal(number)
        assert running.process.wait(60) == 0, (tenths, running.printed)
        assert "Traceback" not in running.printed


def test_a_permission_that_the_account_lacks_at_the_start_is_awaited(lab: Lab) -> None:
    lab.node.ctl("set_permissions", "-p", lab.vhost, "guest", "^$", ".*", ".*")
    try:
        running = lab.site.start("run", "-c", lab.file)
        logged(running, "give the account that permission", 2)
        assert running.process.poll() is None
    finally:
        lab.node.ctl("set_permissions", "-p", lab.vhost, "guest", ".*", ".*", ".*")
    running.wait_for("reading ", 60)
    lab.publish({"name": "a"})
    done(lab, running, "a")

    assert "Traceback" not in running.printed
    assert running.end() == 0


@pytest.mark.parametrize("threads", [1, 4])
def test_a_task_that_damages_its_process_is_counted_although_it_has_ended(lab: Lab, threads: int) -> None:
    lab.configure(consumer=f"type: jobs, queues: [jobs], concurrency: {threads}")
    running = started(lab)
    names = [f"innocent{number}" for number in range(6)]
    for name in names[:3]:
        lab.publish({"name": name})
    lab.publish({"name": "damage", "other": "close"})
    for name in names[3:]:
        lab.publish({"name": name})
    eventually(lambda: lab.waiting("jobs.dead"), 200, lambda: running.printed)
    for name in names:
        done(lab, running, name)

    assert "worker died 3 times" in running.printed
    assert [json.loads(message.body)["name"] for message in lab.take()] == ["damage"]
    assert running.end() == 0
