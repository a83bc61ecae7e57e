"""The whole life of a message at a RabbitMQ: done, retried, dead."""

from itertools import pairwise
from typing import Any

from tests.lab import Lab
from tests.support import eventually


def headers_of(message: Any) -> dict[str, Any]:
    found: dict[str, Any] = message.headers
    return found


def test_a_message_is_done_and_gone(lab: Lab) -> None:
    lab.declare()
    lab.publish({"name": "a"})
    done = lab.once()
    assert (done.code, done.out) == (0, "1 done, 0 dead, 0 waiting for a retry\n")
    assert sorted(lab.effects) == ["first a 1", "other a 1", "second a 1"]
    assert lab.waiting("jobs") == lab.waiting("jobs.dead") == 0


def test_a_message_that_waits_for_a_retry_is_told_of_in_the_exit_code(lab: Lab) -> None:
    lab.configure(consumer="type: jobs, queues: [jobs], retries: {delay: 2s}")
    lab.declare()
    lab.publish({"name": "a", "first": "error"})
    done = lab.once()
    assert (done.code, done.out) == (2, "0 done, 0 dead, 1 waiting for a retry\n")
    assert lab.effects == ["first a 1", "other a 1"]
    assert lab.waiting("pacer.retry.5s") == 1


def test_a_retried_message_comes_back_and_only_pending_tasks_run(lab: Lab) -> None:
    lab.declare()
    steps = {"first": "once error", "other": "note seen", "second": "tell"}
    lab.publish({"name": "a"} | steps, correlation_id="c-1", headers={"colour": "red"})
    running = lab.run()
    eventually(lambda: len(lab.effects) == 5, what=lambda: running.printed)
    assert running.end() == 0
    assert lab.effects == [
        "first a 1",
        "other a 1",
        "first a 2",
        "second a 2",
        "facts {'seen': 1} [('colour', 'red')]",
    ]
    assert lab.waiting("jobs") == lab.waiting("jobs.dead") == 0


def test_what_waits_too_long_for_another_message_is_dead(lab: Lab) -> None:
    lab.configure(consumer="type: jobs, queues: [jobs], notYet: {for: 0}")
    lab.declare()
    lab.publish({"name": "a", "first": "notyet"})
    assert lab.once().code == 1
    (dead,) = lab.take()
    assert headers_of(dead)["x-pacer-error"] == "first: not there yet (waited 0 s for it)"


def test_what_fails_too_often_is_dead(lab: Lab) -> None:
    lab.configure(consumer="type: jobs, queues: [jobs], retries: {limit: 1}")
    lab.declare()
    lab.publish({"name": "a", "first": "error"})
    running = lab.run()
    eventually(lambda: lab.waiting("jobs.dead"), what=lambda: running.printed)
    assert running.end() == 0
    (dead,) = lab.take()
    own = headers_of(dead)
    assert own["x-pacer-error"].startswith("first: RuntimeError at lab_pacer.plugin:")
    assert own["x-pacer-error"].endswith(" (gave up after 1 retry)")
    assert own["x-pacer-attempt"] == own["x-pacer-retries"] == 2
    assert (own["x-pacer-done"], own["x-pacer-pending"]) == (["other"], ["first", "second"])
    assert "RuntimeError at lab_pacer.plugin:" in own["x-pacer-failures"][0]["trace"]


def test_a_rejected_message_is_dead_with_everything_that_is_known(lab: Lab) -> None:
    lab.declare()
    body = b'{"name": "a", "first": "reject"}'
    lab.publish(
        body, correlation_id="c-1", content_type="application/json", headers={"colour": "red"}, app_id="post"
    )
    done = lab.once()
    assert (done.code, done.out) == (1, "0 done, 1 dead, 0 waiting for a retry\n")
    (dead,) = lab.take()
    assert dead.body == body
    own = headers_of(dead)
    assert own["colour"] == "red"
    assert own["x-pacer-error"] == "first: bad"
    assert own["x-pacer-rejected"] == {"first": "bad"}
    assert (own["x-pacer-queue"], own["x-pacer-consumer"], own["x-pacer-correlation-id"]) == (
        "jobs",
        "jobs",
        "c-1",
    )
    assert (dead.properties["correlation_id"], dead.properties["app_id"]) == ("c-1", "post")
    assert dead.properties["delivery_mode"] == 2
    (line,) = [line for line in done.err.splitlines() if "c-1" in line]
    assert "jobs: dead in jobs.dead: first: bad [c-1]" in line


def test_a_follow_up_is_another_message_with_the_same_correlation_id(lab: Lab) -> None:
    lab.configure(
        queue="name: jobs}, {name: children",
        more="  - {type: follow-ups, queues: [children]}",
    )
    lab.declare()
    lab.publish({"name": "a", "first": "emit follow-ups", "other": "reject"}, correlation_id="c-1")
    assert lab.once().code == 1
    assert "follow a-child c-1" in lab.effects
    assert len(lab.take()) == 1


def test_a_follow_up_for_a_consumer_that_is_not_there_is_sent_to_nobody(lab: Lab) -> None:
    lab.declare()
    lab.publish({"name": "a", "first": "emit follow-ups"})
    assert lab.once().code == 0


def test_a_queue_is_bound_to_its_exchange_by_its_routing_key(lab: Lab) -> None:
    lab.configure(
        queue="name: jobs, exchange: work, routingKey: job.*",
        more="exchanges: [{name: work, type: topic}]",
    )
    lab.declare()
    lab.publish({"name": "a"}, exchange="work", to="job.new")
    lab.publish({"name": "b", "first": "reject"}, exchange="work", to="job.old")
    assert lab.once().code == 1
    (dead,) = lab.take()
    assert (headers_of(dead)["x-pacer-exchange"], headers_of(dead)["x-pacer-routing-key"]) == (
        "work",
        "job.old",
    )


def test_a_classic_queue_has_retries_and_dead_letters_as_well(lab: Lab) -> None:
    lab.configure(queue="name: jobs, type: classic")
    lab.declare()
    lab.publish({"name": "a", "first": "once retry"})
    lab.publish("nothing")
    running = lab.run()
    eventually(lambda: "second a 2" in lab.counted, what=lambda: running.printed)
    assert running.end() == 0
    assert len(lab.take()) == 1


def test_a_worker_that_is_told_to_end_finishes_what_it_has_in_hand(lab: Lab) -> None:
    lab.configure(consumer="type: jobs, queues: [jobs], concurrency: 1, prefetch: 3")
    lab.declare()
    lab.publish({"name": "a", "first": "end", "second": "sleep 0.1"})
    for name in "bcdef":
        lab.publish({"name": name})
    assert lab.site.pacer("run", "--inline", "-c", lab.file).code == 0
    done = {line.split()[1] for line in lab.effects}
    assert done >= {"a", "b", "c"}, "what it had in hand"
    assert done <= {"a", "b", "c", "d"}, "and what the broker had sent before the order to stop"
    eventually(lambda: lab.waiting() == 6 - len(done))
    assert lab.once().code == 0
    assert lab.counted["first f 1"] == 1


def test_keyed_messages_run_in_order_and_one_at_a_time(lab: Lab) -> None:
    lab.configure(consumer="type: keyed, queues: [jobs], concurrency: 8")
    lab.declare()
    for number in range(20):
        for name in "abcd":
            lab.publish({"name": name, "number": number})
    assert lab.once().code == 0
    lines = [line.split() for line in lab.effects]
    for name in "abcd":
        mine = [(what, int(number)) for what, key, number in lines if key == name]
        assert mine == [(what, number) for number in range(20) for what in ("begin", "end")]
    begun = [key for what, key, _ in lines]
    assert len(set(pairwise(begun))) > 4, "different keys overlap"


def test_a_task_that_takes_longer_than_two_heartbeats_does_not_cost_the_connection(lab: Lab) -> None:
    lab.configure(broker=", heartbeat: 1s", consumer="type: jobs, queues: [jobs], concurrency: 1")
    lab.declare()
    for name in ("a", "b"):  # read together, and a short task before a long one: nothing comes in between
        lab.publish({"name": name, "first": "sleep 0.3"})
        lab.publish({"name": name, "first": "sleep 3"})
    running = lab.run()
    eventually(lambda: lab.counted["other b 1"] == 2, 30, lambda: running.printed)
    lab.publish({"name": "c"})
    eventually(lambda: "other c 1" in lab.effects, what=lambda: running.printed)
    assert running.end() == 0
    assert "lost amqp" not in running.printed
