"""What the broker does not take of one message is that message's trouble alone."""

from __future__ import annotations

import json
from contextlib import closing, suppress
from typing import Any

import amqp
import pytest

from pacer_core import RefusedError
from pacer_core.config import load
from pacer_core.transport.outgoing import ForbiddenError, Outgoing, UnroutableError
from pacer_core.transport.publish import Publisher
from tests.lab import LIMIT, Lab, limited
from tests.services.base import free_port
from tests.support import eventually


def large(name: str = "large", **does: str) -> dict[str, Any]:
    return {"name": name, **does, "pad": LIMIT * "x"}


def small(number: int, **does: str) -> dict[str, Any]:
    return {"name": f"small-{number}", **does}


@pytest.mark.parametrize("sizes", [[10] * 10, list(range(1, 20)), [900, 5, 800, 5, 700, 5]])
def test_of_what_goes_together_one_that_is_too_large_is_refused_alone_and_none_is_sent_twice(
    lab: Lab, sizes: list[int]
) -> None:
    lab.declare()
    messages = [Outgoing("", "jobs", size * b"x" + b" %d" % number) for number, size in enumerate(sizes)]
    messages[len(messages) // 2 :][:0] = [Outgoing("", "jobs", 2 * LIMIT * b"x")]
    messages.append(Outgoing("", "jobs", 3 * LIMIT * b"x"))
    with limited(lab.node), closing(Publisher(load(lab.file).broker)) as publisher:
        said = publisher.publish_each(messages)
        again = publisher.publish_each([Outgoing("", "jobs", b"after")])
    assert [isinstance(one, RefusedError) for one in said] == [len(one.body) > LIMIT for one in messages]
    assert sum(one is None for one in said) == len(sizes)
    assert "larger than configured max size" in str(said[-1])
    there = [message.body for message in lab.take("jobs")]
    assert there == [one.body for one in messages if len(one.body) <= LIMIT] + [b"after"]
    assert again == [None]


def test_a_message_of_17_mib_is_refused_in_words_by_rabbitmq_4_and_taken_by_an_older_one(lab: Lab) -> None:
    lab.configure()
    channel = lab.channel
    newer = int(channel.connection.server_properties["version"].partition(".")[0]) >= 4
    channel.close()
    file = lab.site.folder / "large.json"
    file.write_bytes(json.dumps(small(1)).encode() + (17 << 20) * b" ")
    after = lab.site.write('{"name": "after"}', "small.json")

    sent = lab.site.pacer("send", "-c", lab.file, "-n", "jobs", file, after)

    assert sent.code == (69 if newer else 0)
    refused = "refused a message of 17,825,8"
    assert (refused in sent.err and "larger than configured max size 16777216" in sent.err) == newer
    assert lab.waiting("jobs") == (1 if newer else 2)


def test_an_exchange_that_is_missing_or_forbidden_keeps_no_other_message_back(lab: Lab) -> None:
    lab.declare()
    channel = lab.channel
    channel.exchange_declare("taboo", "topic", durable=True, auto_delete=False)
    good = [Outgoing("", "jobs", b"%d" % number) for number in range(4)]
    messages = [good[0], Outgoing("nowhere", "a", b"x"), good[1], Outgoing("taboo", "a", b"x"), *good[2:]]
    lab.node.ctl("set_permissions", "-p", lab.vhost, "guest", ".*", "^(?!taboo$).*", ".*")
    with closing(Publisher(load(lab.file).broker)) as publisher:
        said = publisher.publish_each(messages)
    assert [type(one) for one in said if one is not None] == [UnroutableError, ForbiddenError]
    assert [message.body for message in lab.take("jobs")] == [one.body for one in good]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_message_that_is_too_large_to_be_copied_is_dead_by_the_broker_and_others_go_on(
    lab: Lab, concurrency: int
) -> None:
    lab.configure(consumer=f"type: jobs, queues: [jobs], concurrency: {concurrency}, retries: {{limit: 1}}")
    lab.declare()
    for number in range(5):
        lab.publish(small(number))
    lab.publish(large("retried", first="retry"))
    lab.publish(large("rejected", first="reject"))
    lab.publish(large("fine"))
    for number in range(5, 10):
        lab.publish(small(number, first="once retry"))
    with limited(lab.node):
        done = lab.site.pacer("run", "--once", "--wait", "-c", lab.file)
    assert (done.code, done.out) == (1, "11 done, 2 dead, 0 waiting for a retry\n"), done.err
    assert "larger than configured max size" in done.err
    assert {line: count for line, count in lab.counted.items() if count > 1} == {}
    letters = lab.take()
    assert sorted(json.loads(one.body)["name"] for one in letters) == ["rejected", "retried"]
    assert all(one.headers["x-death"][0]["reason"] == "rejected" for one in letters)
    assert lab.waiting() == 0


def test_where_the_queue_is_somebody_elses_a_message_that_cannot_be_copied_stays_there_and_runs_once(
    lab: Lab,
) -> None:
    lab.configure(queue="name: theirs, declare: passive", consumer="type: jobs, queues: [theirs]")
    lab.channel.queue_declare("theirs", durable=True, auto_delete=False)
    lab.publish(large(first="error"), to="theirs")
    for number in range(30):
        lab.publish(small(number, first="" if number % 2 else "reject"), to="theirs")
    with limited(lab.node):
        done = lab.once()
    assert "30 " not in done.out
    assert done.code == 1
    assert done.out == "15 done, 15 dead, 0 waiting for a retry, 1 set aside\n", done.err
    assert "set aside, unacknowledged in theirs" in done.err
    assert lab.counted["first large 1"] == 1
    assert lab.waiting("theirs") == 1
    assert lab.waiting("theirs.dead") == 15


def test_a_queue_of_somebody_elses_that_dead_letters_to_ours_ends_it_as_well(lab: Lab) -> None:
    lab.configure(queue="name: theirs, declare: passive", consumer="type: jobs, queues: [theirs]")
    arguments = {
        "x-queue-type": "quorum",
        "x-delivery-limit": 1000,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "theirs.dead",
    }
    lab.channel.queue_declare("theirs", durable=True, auto_delete=False, arguments=arguments)
    lab.publish(large(first="reject"), to="theirs")
    with limited(lab.node):
        done = lab.once()
    assert (done.code, done.out) == (1, "0 done, 1 dead, 0 waiting for a retry\n"), done.err
    assert lab.waiting("theirs.dead") == 1


def test_what_is_set_aside_is_known_again_when_the_connection_is_lost_and_its_tasks_do_not_run(
    lab: Lab,
) -> None:
    lab.configure(queue="name: theirs, declare: passive", consumer="type: jobs, queues: [theirs]")
    lab.channel.queue_declare("theirs", durable=True, auto_delete=False)
    lab.publish(large(first="error"), to="theirs")
    with limited(lab.node):
        running = lab.run()
        running.wait_for("set aside")
        lab.close()
        lab.node.ctl("close_all_connections", "-p", lab.vhost, "test")
        eventually(lambda: running.printed.count("reading theirs") > 1, what=lambda: running.printed)
        lab.publish(small(1), to="theirs")
        eventually(lambda: lab.counted["second small-1 1"], what=lambda: running.printed)
    assert lab.counted["first large 1"] == 1
    running.wait_for("no longer set aside")
    assert running.end() == 0
    assert lab.counted["first large 1"] == 1


def test_a_follow_up_that_is_refused_is_its_messages_death_and_the_others_are_sent_once(lab: Lab) -> None:
    lab.configure(
        queue="name: jobs}, {name: children",
        more="  - {type: follow-ups, queues: [children]}",
    )
    lab.declare()
    big = LIMIT // 2 * "é"  # twice as long in the UTF-8 of a follow-up
    text = (
        '<?xml version="1.0" encoding="iso-8859-1"?><job><name>{}</name><first>emit follow-ups</first></job>'
    )
    for name in ("parent", big):
        lab.publish(text.format(name).encode("iso-8859-1"), content_type="application/xml")
    with limited(lab.node):
        done = lab.once()
    assert (done.code, done.out) == (1, "2 done, 1 dead, 0 waiting for a retry\n"), done.err
    (letter,) = lab.take()
    assert "follow-up to follow-ups" in letter.headers["x-pacer-error"]


def test_a_full_dead_queue_stops_only_what_would_go_there(lab: Lab) -> None:
    lab.configure(more=f"health: {{port: {free_port()}}}")
    lab.declare()
    lab.node.ctl(
        "set_policy", "-p", lab.vhost, "full", r"^jobs\.dead$",
        '{"max-length": 1, "overflow": "reject-publish"}', "--apply-to", "queues",
    )  # fmt: skip
    with suppress(amqp.exceptions.MessageNacked):
        while True:
            lab.publish(b"no json", to="jobs.dead")
    running = lab.run()
    for number in range(30):  # more than are in hand at once
        lab.publish({"name": f"bad-{number}", "first": "reject"})
    running.wait_for("set aside")
    for number in range(20):
        lab.publish(small(number))
    eventually(
        lambda: sum(line.startswith("second small") for line in lab.effects) == 20,
        what=lambda: running.printed,
    )
    eventually(lambda: "sets 30 messages aside" in lab.site.pacer("status", "-c", lab.file).out)
    assert "a queue there is full" in lab.site.pacer("status", "-c", lab.file).out
    lab.node.ctl("clear_policy", "-p", lab.vhost, "full")
    eventually(lambda: lab.waiting("jobs.dead") > 30, what=lambda: running.printed)
    assert running.end() == 0
    assert {line for line, count in lab.counted.items() if count > 1} == set()
    assert lab.once().out.startswith("0 done, 0 dead")
