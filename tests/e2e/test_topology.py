"""What PACER declares, what it leaves as it is, and what it says where the two do not fit."""

import pytest

from tests.lab import Lab
from tests.services import RabbitMQ
from tests.support import Site, eventually

PRIORITIES = {"x-max-priority": 10}


def test_a_queue_that_exists_with_other_arguments_is_an_error_with_the_line_to_write(lab: Lab) -> None:
    lab.channel.queue_declare("jobs", durable=True, auto_delete=False, arguments=PRIORITIES)
    done = lab.once()
    assert done.code == 69
    assert done.err.startswith("error: queue 'jobs' exists with other arguments: ")
    assert "write {name: jobs, declare: passive} in the configuration" in done.err
    assert "Traceback" not in done.err


def test_a_dead_queue_with_other_arguments_is_an_error_that_says_how_to_get_rid_of_it(lab: Lab) -> None:
    lab.channel.queue_declare("jobs.dead", durable=True, auto_delete=False, arguments=PRIORITIES)
    done = lab.once()
    assert done.code == 69
    assert done.err.startswith("error: queue 'jobs.dead' exists with other arguments: ")
    assert "delete it, PACER then makes it anew" in done.err
    assert "declare: passive" not in done.err  # `config check` would refuse that


def test_an_exchange_of_another_type_is_an_error_with_the_line_to_write(lab: Lab) -> None:
    lab.channel.exchange_declare("work", "fanout", durable=True, auto_delete=False)
    lab.configure(queue="name: jobs, exchange: work", more="exchanges: [{name: work}]")
    done = lab.once()
    assert done.code == 69
    assert "write {name: work, declare: passive} in the configuration" in done.err


def test_a_passive_queue_is_used_as_it_is(lab: Lab) -> None:
    lab.channel.queue_declare("jobs", durable=True, auto_delete=False, arguments=PRIORITIES)
    lab.configure(queue="name: jobs, declare: passive")
    lab.publish({"name": "a"})
    lab.publish("nothing")
    done = lab.once()
    assert done.code == 1
    assert done.out.startswith("1 done, 1 dead")
    assert len(lab.take()) == 1


@pytest.mark.parametrize("what", ["queue", "exchange"])
def test_a_passive_queue_or_exchange_that_is_not_there_is_an_error(lab: Lab, what: str) -> None:
    if what == "queue":
        lab.configure(queue="name: jobs, declare: passive")
    else:
        lab.configure(queue="name: jobs, exchange: work", more="exchanges: [{name: work, declare: passive}]")
    done = lab.once()
    assert done.code == 69
    assert f"error: {what} '{'jobs' if what == 'queue' else 'work'}' does not exist" in done.err


def test_declaring_the_same_again_changes_nothing(lab: Lab) -> None:
    lab.declare()
    lab.publish({"name": "a"})
    lab.declare()
    assert lab.waiting() == 1


def test_a_broker_that_is_not_there_is_an_error_of_a_single_run(lab: Lab) -> None:
    lab.configure(broker=", hosts: ['127.0.0.1:1', 'nowhere.invalid:5'], connectTimeout: 2s")
    done = lab.once()
    assert done.code == 69
    assert "\nerror: cannot connect to amqp://127.0.0.1:1,nowhere.invalid:5/test-" in done.err
    assert done.err.endswith(f"`pacer doctor -c {lab.file}` looks further, and says what to do\n")


def test_wrong_credentials_are_an_error_that_names_none(lab: Lab) -> None:
    lab.configure(broker=", username: ada, password: c4n4ry-word")
    done = lab.once()
    assert done.code == 69
    assert "ACCESS_REFUSED" in done.err
    assert "c4n4ry" not in done.both


def test_an_empty_virtual_host_is_one(site: Site, rabbitmq: RabbitMQ, lab: Lab) -> None:
    user = '{<<"guest">>, <<"">>, <<".*">>, <<".*">>, <<".*">>, <<"t">>}'
    rabbitmq.ctl(
        "eval",
        f'rabbit_vhost:add(<<"">>, <<"t">>), {{U, V, C, W, R, A}} = {user}, '
        "rabbit_auth_backend_internal:set_permissions(U, V, C, W, R, A).",
    )
    lab.vhost = ""
    lab.configure()
    lab.declare()
    lab.publish({"name": "a"})
    assert lab.once().out.startswith("1 done")


SENT = '{"name": "sent"}'


def test_a_file_is_sent_to_a_consumer_and_confirmed(lab: Lab) -> None:
    body = lab.site.write(SENT, "job.json")
    done = lab.site.pacer("send", "-c", lab.file, body, body)
    assert done.code == 0
    lines = done.out.splitlines()
    assert all(line.startswith(f"{body}: confirmed, correlation id ") for line in lines)
    messages = lab.take("jobs")
    assert [message.body for message in messages] == [SENT.encode()] * 2
    assert [message.properties["content_type"] for message in messages] == ["application/json"] * 2
    assert [message.properties["correlation_id"] for message in messages] == [
        line.split()[-1] for line in lines
    ]


def test_a_file_is_sent_to_an_exchange(lab: Lab) -> None:
    lab.configure(queue="name: jobs, exchange: work, routingKey: new", more="exchanges: [{name: work}]")
    body = lab.site.write(SENT, "job.txt")
    done = lab.site.pacer("send", "-c", lab.file, "-e", "work", "-k", "new", "-t", "application/json", body)
    assert done.code == 0
    assert lab.take("jobs")[0].properties["content_type"] == "application/json"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["-e", "nowhere"], 69, "no exchange 'nowhere'"),
        (["-e", "amq.direct", "-k", "nobody"], 69, "no queue takes messages of exchange 'amq.direct'"),
        (
            ["-e", "", "-k", "nobody"],
            69,
            "no queue takes messages of exchange '(default)' with routing key 'nobody'",
        ),
        (["-n", "nobody"], 2, "no consumer 'nobody'"),
    ],
)
def test_what_cannot_be_sent_is_an_error(lab: Lab, arguments: list[str], code: int, says: str) -> None:
    body = lab.site.write(SENT, "job.json")
    done = lab.site.pacer("send", "-c", lab.file, *arguments, body)
    assert done.code == code
    assert says in done.err
    assert done.out == ""


def test_with_several_consumers_one_has_to_be_named(lab: Lab) -> None:
    lab.configure(queue="name: jobs}, {name: children", more="  - {type: follow-ups, queues: [children]}")
    body = lab.site.write(SENT, "job.json")
    done = lab.site.pacer("send", "-c", lab.file, body)
    assert done.code == 2
    assert "Say --consumer with one of: jobs, follow-ups" in done.err
    assert lab.site.pacer("send", "-c", lab.file, "-n", "follow-ups", body).code == 0
    assert lab.waiting("children") == 1


def test_nothing_can_be_sent_to_a_broker_in_another_process(lab: Lab) -> None:
    body = lab.site.write(SENT, "job.json")
    lab.configure(broker=", protocol: memory")
    done = lab.site.pacer("send", "-c", lab.file, body)
    assert done.code == 69
    assert "a broker of protocol 'memory' is seen by one process only" in done.err


def test_a_dead_queue_that_is_full_is_named_and_filled_when_its_limit_is_gone(lab: Lab) -> None:
    lab.declare()
    limit = '{"max-length": 1, "overflow": "reject-publish"}'
    lab.node.ctl("set_policy", "-p", lab.vhost, "full", "^jobs.dead$", limit, "--apply-to", "queues")
    running = lab.run()
    for _ in range(20):  # a quorum queue takes some more than its limit
        lab.publish("nothing")
    running.wait_for("refused a message to queue 'jobs.dead'")
    assert "lost amqp" not in running.printed
    lab.node.ctl("clear_policy", "-p", lab.vhost, "full")
    eventually(lambda: lab.waiting("jobs.dead") >= 20, 120, lambda: running.printed)
    assert running.end() == 0


OTHERS = "type: jobs, queues: [others]"
QUEUES = "name: jobs}, {name: others"


def test_a_consumer_with_keys_can_be_switched_off_and_on(lab: Lab) -> None:
    for enabled in ("false", "true", "false"):
        keyed = f"type: keyed, queues: [jobs], enabled: {enabled}"
        lab.configure(queue=QUEUES, consumer=f"{OTHERS}}}\n  - {{{keyed}")
        lab.declare()
        lab.publish({"name": "a"})
        assert lab.once().code == 0
    assert lab.waiting() == 1  # the first two were read when it was switched on


def test_a_queue_whose_consumer_was_removed_goes_on_gathering_messages(lab: Lab) -> None:
    lab.configure(consumer="type: keyed, queues: [jobs]")
    lab.declare()
    lab.configure(queue=QUEUES, consumer=OTHERS)
    running = lab.run()
    lab.publish({"name": "a"})
    assert running.end() == 0
    assert lab.waiting() == 1
    assert lab.site.pacer("doctor", "-c", lab.file).code == 0


def test_of_many_queues_each_is_there_and_the_one_that_differs_is_named(lab: Lab) -> None:
    names = [f"many{number}" for number in range(40)]
    queues = ", ".join(f"{{name: {name}, exchange: things}}" for name in names)
    lab.configure(more="exchanges: [{name: things, type: topic}]")
    lab.file.write_text(
        lab.file.read_text().replace("queues: [{name: jobs}]", f"queues: [{{name: jobs}}, {queues}]")
    )
    lab.declare()
    for name in names:
        lab.publish({"name": "a"}, to=name, exchange="things")
        assert (lab.waiting(name), lab.waiting(f"{name}.dead")) == (1, 0)

    lab.channel.queue_delete("jobs")
    lab.channel.queue_declare("jobs", durable=True, auto_delete=False)
    done = lab.once()
    assert done.code == 69
    assert "{name: jobs, declare: passive}" in done.both
