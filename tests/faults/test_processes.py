"""The processes of a run: killed, stopped, left alone."""

import os
import re
import signal

from tests.faults.processes import alive, workers
from tests.lab import Lab
from tests.services.base import free_port
from tests.support import Running, eventually


def begun(lab: Lab, running: Running) -> None:
    """Publish a message and wait until a worker is inside its task."""
    lab.publish({"name": "a", "first": "wait gate"})
    eventually(lambda: lab.held, what=lambda: running.printed)


def test_a_message_whose_worker_is_killed_is_delivered_again(lab: Lab) -> None:
    lab.declare()
    running = lab.run()
    begun(lab, running)
    os.kill(workers(running)[0], signal.SIGKILL)
    running.wait_for("worker jobs-1 ended with code -9; again in 0.5 s")
    lab.open_gate()
    eventually(lambda: "second a 1" in lab.effects, what=lambda: running.printed)
    assert running.end() == 0
    assert lab.waiting("jobs") == lab.waiting("jobs.dead") == 0
    assert len(workers(running)) == 2


def test_what_is_in_hand_is_finished_before_the_end(lab: Lab) -> None:
    lab.declare()
    running = lab.run()
    begun(lab, running)
    running.process.terminate()
    running.wait_for("SIGTERM: stopping")
    lab.open_gate()
    assert running.process.wait(20) == 0
    assert "second a 1" in lab.effects
    assert lab.waiting("jobs") == 0


def test_what_does_not_finish_in_time_goes_back_to_its_queue(lab: Lab) -> None:
    lab.file.write_text(lab.file.read_text().replace("shutdownGrace: 5s", "shutdownGrace: 100ms"))
    lab.declare()
    running = lab.run()
    begun(lab, running)
    assert running.end(seconds=15) == 0
    assert "their messages go back to the queue" in running.printed
    eventually(lambda: lab.waiting("jobs") == 1)


def test_a_run_without_messages_stops_within_seconds(lab: Lab) -> None:
    lab.configure(consumer="type: jobs, queues: [jobs], workers: 2")
    running = lab.run()
    eventually(lambda: running.printed.count("reading jobs") == 2, what=lambda: running.printed)
    assert running.end(seconds=10) == 0
    assert not any(alive(process) for process in workers(running))


def test_an_interrupt_from_the_keyboard_stops_as_sigterm_does(lab: Lab) -> None:
    running = lab.run()
    os.killpg(running.process.pid, signal.SIGINT)  # as a terminal does: to the workers as well
    assert running.process.wait(15) == 0
    assert "Traceback" not in running.printed


def test_workers_end_when_their_supervisor_is_killed(lab: Lab) -> None:
    lab.declare()
    running = lab.run()
    begun(lab, running)
    running.process.kill()
    running.wait_for("the supervisor is gone; stopping")
    lab.open_gate()
    eventually(lambda: not alive(workers(running)[0]), what=lambda: running.printed)
    assert "second a 1" in lab.effects, "what was in hand is finished"
    assert lab.waiting("jobs") == 0


def test_a_run_that_its_broker_refuses_ends_at_once_and_says_where_to_look(lab: Lab) -> None:
    lab.channel.queue_declare("jobs", durable=True, auto_delete=False)
    running = lab.site.start("run", "-c", lab.file)
    assert running.process.wait(30) == 69
    assert running.printed.startswith("error: queue 'jobs' exists with other arguments")
    assert "write {name: jobs, declare: passive} in the configuration" in running.printed
    assert len(running.printed.splitlines()) == 2
    assert "pacer doctor" in running.printed.splitlines()[1]


def test_a_queue_that_somebody_removes_stops_those_alone_who_read_it(lab: Lab) -> None:
    health = free_port()
    lab.configure(
        queue="name: jobs}, {name: others, declare: passive",
        more=f"  - {{type: follow-ups, queues: [others]}}\nhealth: {{port: {health}}}",
    )
    lab.channel.queue_declare("others", durable=True, auto_delete=False)
    running = lab.run()
    running.wait_for("reading others")
    running.wait_for("reading jobs")
    lab.channel.queue_delete("others")
    lab.node.ctl("close_all_connections", "-p", lab.vhost, "test")
    running.wait_for("queue 'others' does not exist")
    eventually(lambda: running.printed.count("reading jobs") == 2, what=lambda: running.printed)
    lab.publish({"name": "a"})
    eventually(lambda: "second a 1" in lab.effects, what=lambda: running.printed)
    seen = lab.site.pacer("status", "-c", lab.file).out
    rows = {row.split()[0]: row.split()[1] for row in seen.splitlines() if re.match(r"\S+-1 ", row.strip())}
    assert rows == {"jobs-1": "reading", "follow-ups-1": "refused"}
    assert "follow-ups-1: queue 'others' does not exist" in seen
    assert "Traceback" not in running.printed
    lab.channel.queue_declare("others", durable=True, auto_delete=False)
    eventually(lambda: running.printed.count("reading others") == 2, what=lambda: running.printed)
    assert running.end() == 0


def test_a_single_run_can_be_stopped(lab: Lab) -> None:
    lab.declare()
    lab.publish({"name": "a", "first": "wait gate"})
    running = lab.site.start("run", "--once", "-c", lab.file)
    eventually(lambda: lab.held, what=lambda: running.printed)
    running.process.terminate()
    running.wait_for("SIGTERM: stopping")
    lab.open_gate()
    assert running.process.wait(15) == 0
    assert "1 done, 0 dead, 0 waiting for a retry" in running.printed
