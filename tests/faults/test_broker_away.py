"""A broker that goes away, comes back, or takes nothing: messages are late, and none is lost."""

from tests.lab import Lab
from tests.support import eventually


def names(lab: Lab, task: str = "other") -> set[str]:
    """Give the names of the messages that a task has handled."""
    return {line.split()[1] for line in lab.effects if line.startswith(f"{task} ")}


def test_a_task_that_outlives_its_connection_acknowledges_no_other_message(lab: Lab) -> None:
    text = lab.configure().read_text().replace("shutdownGrace: 5s", "shutdownGrace: 0")
    lab.file.write_text(text)
    lab.declare()
    lab.publish({"name": "slow", "first": "wait gate"})
    running = lab.run()
    eventually(lambda: lab.held, what=lambda: running.printed)
    lab.node.ctl("close_all_connections", "-p", lab.vhost, "test")
    eventually(lambda: running.printed.count("reading ") == 2, what=lambda: running.printed)
    eventually(lambda: len(lab.held) == 2, what=lambda: running.printed)
    lab.open_gate()
    eventually(lambda: lab.counted["second slow 1"] == 2, what=lambda: running.printed)
    for number in range(5):
        lab.publish({"name": f"m{number}"})
    eventually(lambda: len(names(lab)) == 6, what=lambda: running.printed)
    assert running.end() == 0
    assert lab.waiting("jobs") == 0
    assert running.printed.count("lost amqp://") == 1, "no channel was closed for a tag it does not know"


def test_a_message_stays_unacknowledged_while_the_broker_confirms_nothing(
    lab: Lab,
) -> None:
    # The worker's own process reads it; a broker under its memory alarm never confirms.
    (lab.site.folder / "sitecustomize.py").write_text(
        "import pacer_core.transport.publishing_link as link; link.CONFIRM_TIMEOUT = 1.0\n"
    )
    lab.declare()
    running = lab.run()
    lab.publish({"name": "a", "first": "wait gate", "second": "reject"})
    eventually(lambda: lab.held, what=lambda: running.printed)
    try:
        lab.node.ctl("set_vm_memory_high_watermark", "0.000001")
        lab.open_gate()
        running.wait_for("has not confirmed")
        assert "first a 1" in lab.effects
        assert "dead in jobs.dead" not in running.printed
    finally:
        lab.node.ctl("set_vm_memory_high_watermark", "0.4")
    # A copy whose confirm was given up may be there already, while the message is on its way to another.
    running.wait_for("dead in jobs.dead", 60)
    assert running.end() == 0
    assert [message.body for message in lab.take()][:1] == [
        b'{"name": "a", "first": "wait gate", "second": "reject"}'
    ]
    assert lab.waiting("jobs") == 0


def test_a_dead_queue_that_was_deleted_is_declared_again(lab: Lab) -> None:
    lab.declare()
    running = lab.run()
    lab.channel.queue_delete("jobs.dead")
    lab.publish("nothing")
    eventually(lambda: lab.node.ctl("list_queues", "-p", lab.vhost, "name").count("jobs.dead"))
    eventually(lambda: lab.waiting("jobs.dead"), what=lambda: running.printed)
    assert running.end() == 0
    assert len(lab.take()) == 1


def test_a_work_queue_that_was_deleted_is_declared_again_and_read(lab: Lab) -> None:
    lab.declare()
    running = lab.run()
    lab.channel.queue_delete("jobs")
    eventually(lambda: running.printed.count("reading jobs") == 2, what=lambda: running.printed)
    lab.publish({"name": "a"})
    eventually(lambda: names(lab) == {"a"}, what=lambda: running.printed)
    assert running.end() == 0


def test_a_follow_up_whose_queue_was_deleted_waits_until_it_is_declared_again(lab: Lab) -> None:
    lab.configure(queue="name: jobs}, {name: children", more="  - {type: follow-ups, queues: [children]}")
    lab.declare()
    running = lab.run()
    running.wait_for("reading children")
    lab.publish({"name": "a", "first": "wait gate", "second": "emit follow-ups"})
    eventually(lambda: lab.held, what=lambda: running.printed)
    with lab.node.held(lab.vhost, "children"):  # who reads it hears of its end when it is there again
        lab.channel.queue_delete("children")
        lab.open_gate()
        for number in range(20):
            lab.publish({"name": f"m{number}"})
        eventually(lambda: len(names(lab)) == 21, what=lambda: running.printed)
    eventually(lambda: "a-child" in names(lab, "follow"), what=lambda: running.printed)
    assert running.end() == 0
