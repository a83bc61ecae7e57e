"""A configuration with mistakes: each is reported with its code, at its place, in one run."""

import pytest
from attrs import frozen

from pacer_core import Capabilities, TransportType
from pacer_core.config import Code, check
from pacer_core.config.capabilities import check_transports
from pacer_core.config.reading import read
from tests.support import Site
from tests.unit.config_problems.parcel_post import ALONE, FINE, found


@frozen
class Slate:
    """The keys of a broker that has none."""


def test_a_configuration_without_mistakes_has_no_problem(post: Site) -> None:
    assert found(post, FINE) == []


def test_five_mistakes_are_five_problems_each_at_its_place(post: Site) -> None:
    text = """\
brokers:
  main: {protocol: amqp, prot: 5672}
queues:
  - {name: parcels, exchange: post}
integrations:
  scale: {url: 7}
consumers:
  - type: parcles
    queues: [parcels]
  - type: letters
    queues: [leters]
"""
    assert found(post, text) == [
        "2:26: error: unknown key 'prot' (did you mean 'port'?) [unknown-key]",
        "4:31: error: unknown exchange 'post' (there are: none) [unknown-name]",
        "6:16: error: 'url' should be text: put it in quotes [wrong-type]",
        "8:11: error: " + found_unknown(post),
        "11:14: error: unknown queue 'leters' (there are: parcels) [unknown-name]",
    ]


def found_unknown(post: Site) -> str:
    """What is installed beside the test's plugin depends on the machine."""
    from pacer_core.plugins import load

    installed = ", ".join(sorted(load().consumers))
    return f"unknown consumer type 'parcles' (did you mean 'parcels'?); installed: {installed} [unknown-name]"


CODES = {
    "syntax": ("queues: [\n", Code.SYNTAX, "2:1"),
    "tab": ("brokers:\n\tmain: {}\n", Code.SYNTAX, "2:1"),
    "two documents": ("a: 1\n---\nb: 1\n", Code.SYNTAX, "2:1"),
    "unknown tag": (FINE.replace("parcel.sent", "!vault x"), Code.SYNTAX, "6:49"),
    "empty file": ("", Code.MISSING, "1:1"),
    "nothing but a comment": ("# later\n", Code.MISSING, "1:1"),
    "empty mapping": ("{}\n", Code.MISSING, "1:1"),
    "a list": ("- a\n", Code.WRONG_TYPE, "1:1"),
    "a word": ("pacer\n", Code.WRONG_TYPE, "1:1"),
    "a number as a key": (FINE + "7: seven\n", Code.WRONG_TYPE, "11:1"),
    "duplicate key": (FINE.replace("{name: post}", "{name: post, name: mail}"), Code.DUPLICATE_KEY, "4:18"),
    "unknown section": (FINE + "broker: {}\n", Code.UNKNOWN_KEY, "11:1"),
    "unknown key": (FINE.replace("routingKey", "routing_key"), Code.UNKNOWN_KEY, "6:37"),
    "no brokers": (FINE.partition("\n")[2].partition("\n")[2], Code.MISSING, "1:1"),
    "no consumers": (FINE.partition("consumers:")[0], Code.MISSING, "1:1"),
    "empty consumers": (FINE.partition("consumers:")[0] + "consumers: []\n", Code.MISSING, "9:12"),
    "missing key": (FINE.replace("type: parcels, ", ""), Code.MISSING, "10:5"),
    "missing option": (FINE.replace('{url: "http://localhost"}', "{}"), Code.MISSING, "8:10"),
    "a mapping for a list": (ALONE.replace("- {name: post}", "{name: post}"), Code.WRONG_TYPE, "4:3"),
    "a word for a mapping": (
        FINE.replace("main: {protocol: memory}", "main: memory"),
        Code.WRONG_TYPE,
        "2:9",
    ),
    "a word for an entry": (ALONE.replace("- {name: post}", "- post"), Code.WRONG_TYPE, "4:5"),
    "text for a number": (FINE.replace("[scale]}", "[scale], workers: two}"), Code.WRONG_TYPE, "10:72"),
    "a truth for a number": (FINE.replace("[scale]}", "[scale], workers: true}"), Code.WRONG_TYPE, "10:72"),
    "no worker": (FINE.replace("[scale]}", "[scale], workers: 0}"), Code.BAD_VALUE, "10:72"),
    "no thread": (FINE.replace("[scale]}", "[scale], concurrency: -1}"), Code.BAD_VALUE, "10:76"),
    "no prefetch": (FINE.replace("[scale]}", "[scale], prefetch: 0}"), Code.BAD_VALUE, "10:73"),
    "priorities in a quorum queue": (
        FINE.replace("parcel.sent}", "parcel.sent, priorityEnabled: true}"),
        Code.BAD_VALUE,
        "6:79",
    ),
    "no queue": (FINE.replace("queues: [parcels]", "queues: []"), Code.BAD_VALUE, "10:29"),
    "a choice": (FINE.replace("{name: post}", "{name: post, type: topik}"), Code.BAD_VALUE, "4:24"),
    "unknown protocol": (FINE.replace("memory", "mqtt"), Code.UNKNOWN_NAME, "2:20"),
    "a protocol that is no text": (FINE.replace("memory", "7"), Code.WRONG_TYPE, "2:20"),
    "no date": (FINE.replace("routingKey: parcel.sent", "routingKey: 2024-01-01"), Code.WRONG_TYPE, "6:49"),
    "duplicate name": (
        FINE.replace("- {name: post}", "- {name: post}\n  - {name: post}"),
        Code.DUPLICATE_NAME,
        "5:12",
    ),
    "consumer twice": (
        FINE + FINE.splitlines()[-1].replace("}", ", enabled: false}"),
        Code.DUPLICATE_NAME,
        "11:12",
    ),
    "unknown integration": (FINE.replace("[scale]", "[scale, sclae]"), Code.UNKNOWN_NAME, "10:62"),
    "unknown integration type": (FINE.replace("scale", "sclae"), Code.UNKNOWN_NAME, "8:3"),
    "integration twice": (FINE.replace("[scale]", "[scale, scale]"), Code.DUPLICATE_NAME, "10:62"),
    "no task": (FINE.replace(", integrations: [scale]", ""), Code.MISSING, "10:12"),
    "all tasks left out": (
        FINE.replace("integrations: [scale]", "leaveOut: [weigh, stamp]"),
        Code.BAD_VALUE,
        "10:12",
    ),
    "an unknown task left out": (
        FINE.replace("[scale]}", "[scale], leaveOut: [wiegh]}"),
        Code.UNKNOWN_NAME,
        "10:74",
    ),
    "no port": (FINE.replace("memory", "amqp, port: 226720"), Code.BAD_VALUE, "2:32"),
    "no port of a host": (FINE.replace("memory", "amqp, hosts: ['a:226720']"), Code.BAD_VALUE, "2:33"),
    "fewer than no retries": (
        FINE.replace("[scale]}", "[scale], retries: {limit: -1}}"),
        Code.BAD_VALUE,
        "10:80",
    ),
    "a factor that shortens": (
        FINE.replace("[scale]}", "[scale], retries: {factor: 0.5}}"),
        Code.BAD_VALUE,
        "10:81",
    ),
    "endless": (FINE.replace("[scale]}", "[scale], taskTimeout: .inf}"), Code.BAD_VALUE, "10:76"),
    "no number": (FINE.replace("[scale]}", "[scale], taskTimeout: .nan}"), Code.BAD_VALUE, "10:76"),
    "no time at all": (FINE.replace("[scale]}", "[scale], taskTimeout: 0}"), Code.BAD_VALUE, "10:76"),
    "a long time": (FINE.replace("[scale]}", "[scale], taskTimeout: 9999999999d}"), Code.BAD_VALUE, "10:76"),
    "a port of health": (FINE + "health: {port: 65536}\n", Code.BAD_VALUE, "11:16"),
    "one queue without a list": (FINE.replace("[parcels]", "parcels"), Code.WRONG_TYPE, "10:29"),
    "a variable of the shell": (FINE.replace("parcel.sent", '"${KEY}"'), Code.BAD_VALUE, "6:49"),
    "part of a text from the shell": (FINE.replace("parcel.sent", '"a.${KEY}"'), Code.BAD_VALUE, "6:49"),
    "an ordered mapping": (FINE + "processes: !!omap [a: 1]\n", Code.SYNTAX, "11:12"),
    "a set": (FINE + "processes: !!set {a, b}\n", Code.SYNTAX, "11:12"),
    "pairs": (FINE + "processes: !!pairs [a: 1]\n", Code.SYNTAX, "11:12"),
    "somebody's tag before a mapping": (FINE + "processes: !vault {a: 1}\n", Code.SYNTAX, "11:12"),
    "bytes": (FINE.replace("parcel.sent", "!!binary aGVsbG8="), Code.SYNTAX, "6:49"),
    "no whole number": (FINE + "processes: {shutdownGrace: !!int abc}\n", Code.SYNTAX, "11:28"),
    "no truth": (FINE + "processes: {shutdownGrace: !!bool abc}\n", Code.SYNTAX, "11:28"),
    "no day of the calendar": (FINE.replace("parcel.sent", "2024-99-99"), Code.SYNTAX, "6:49"),
    "a control character": (FINE.replace("parcel.sent", "a\x01b"), Code.SYNTAX, "6:50"),
    "merged from a number": (FINE + "<<: 3\n", Code.SYNTAX, "11:5"),
    "unknown option": (
        FINE.replace("[scale]}", "[scale], options: {express: 1}}"),
        Code.UNKNOWN_KEY,
        "10:73",
    ),
    "options of a task that has none": (
        FINE.replace("[scale]}", "[scale], taskOptions: {weigh: {}}}"),
        Code.UNKNOWN_NAME,
        "10:77",
    ),
    "taskOptions as a list": (
        FINE.replace("[scale]}", "[scale], taskOptions: []}"),
        Code.WRONG_TYPE,
        "10:76",
    ),
    "options where there are none": (
        FINE + "  - {type: letters, queues: [parcels], enabled: false, options: {a: 1}}\n",
        Code.UNKNOWN_KEY,
        "11:56",
    ),
    "options that their own class refuses": (
        FINE.replace('localhost"', 'localhost", retries: 10'),
        Code.BAD_VALUE,
        "8:10",
    ),
    "unused queue": (FINE.replace("queues:\n", "queues:\n  - {name: attic}\n", 1), Code.UNUSED, "6:12"),
    "a key that says nothing": (FINE.replace("memory", "memory, host: a"), Code.UNUSED, "2:28"),
    "a plugin to block that is not there": (FINE + "plugins: {block: [parcel]}\n", Code.UNUSED, "11:19"),
    "no file of the broker": (FINE.replace("memory", "sqlite"), Code.MISSING, "2:9"),
    "tls without tls": (FINE.replace("memory", "amqp, tls: {caFile: a}"), Code.BAD_VALUE, "2:31"),
    "the name of a dead queue": (
        FINE.replace("queues:\n", "queues:\n  - {name: parcels.dead}\n", 1).replace(
            "[parcels]", "[parcels, parcels.dead]"
        ),
        Code.DUPLICATE_NAME,
        "6:12",
    ),
    "the name of a retry queue": (
        ALONE.replace("name: parcels,", "name: pacer.retry.1s,").replace("[parcels]", "[pacer.retry.1s]"),
        Code.DUPLICATE_NAME,
        "6:12",
    ),
    "two processes in memory": (FINE.replace("[scale]}", "[scale], workers: 2}"), Code.TRANSPORT, "10:72"),
    "a cluster in memory": (FINE.replace("memory", "memory, hosts: [a, b]"), Code.TRANSPORT, "2:35"),
    "a cluster in a file": (FINE.replace("memory", "sqlite, path: a, hosts: [a, b]"), Code.TRANSPORT, "2:44"),
    "a recipient in memory": (
        FINE.replace("memory}", "memory}\n  recipients: [{name: a, protocol: memory}]"),
        Code.TRANSPORT,
        "3:36",
    ),
    "unset variable": (FINE.replace('"http://localhost"', "!env NO_SUCH_VAR"), Code.UNSET_VARIABLE, "8:16"),
    "no file": (FINE.replace('"http://localhost"', "!file no/such"), Code.UNREADABLE_FILE, "8:16"),
}


@pytest.mark.parametrize(("text", "code", "place"), CODES.values(), ids=CODES.keys())
def test_a_problem_has_its_code_and_its_place(post: Site, text: str, code: Code, place: str) -> None:
    matching = [one for one in found(post, text) if one.endswith(f"[{code.value}]")]
    assert [":".join(one.split(":")[:2]) for one in matching] == [place]
    assert len([one for one in found(post, text) if ": error: " in one]) <= 1, "one mistake, one error"


def test_every_code_but_that_of_plugins_has_an_example_here(post: Site) -> None:
    assert {code for _, code, _ in CODES.values()} == set(Code) - {Code.PLUGIN}


def test_what_a_transport_cannot_do_is_named(post: Site) -> None:
    text = FINE.replace("[scale]}", "[scale], workers: 2}")
    what = "it asks for 2 processes, but protocol 'memory' cannot serve more than one process"
    assert found(post, text) == [f"10:72: error: {what} [transport]"]


def test_each_capability_that_a_configuration_needs_is_asked_for(post: Site) -> None:
    text = FINE.replace("parcel.sent}", "parcel.sent, type: classic, priorityEnabled: true}")
    document = read(post.write(text.replace("[scale]}", "[scale], workers: 2}")))
    nothing = Capabilities(
        survives_kill=False, several_processes=False, several_hosts=False, delays=False, priorities=False
    )
    slate = TransportType(protocols=("memory",), options=Slate, capabilities=nothing, connect=None)
    check_transports(document, {"memory": slate}, {})
    assert [(one.line, one.message.partition("cannot ")[2]) for one in document.problems] == [
        (6, "let one message overtake another"),
        (10, "serve more than one process"),
        (2, "hold a message back for a time"),
    ]


def test_a_rule_may_take_what_was_sent_to_a_queue_directly(post: Site) -> None:
    rules = '[{fromExchange: "", withRoutingKey: parcels}, {fromExchange: nowhere}]'
    recipients = f"brokers:\n  recipients: [{{name: away, forwardingRules: {rules}}}]\n"
    text = "\n".join(line for line in FINE.splitlines() if "memory" not in line and line != "brokers:")
    (problem,) = found(post, recipients + text + "\n")
    assert problem.endswith("error: unknown exchange 'nowhere' (there are: post) [unknown-name]")


def test_what_a_type_cannot_be_without_has_to_be_named_or_left_out_on_purpose(post: Site) -> None:
    text = FINE.replace("[scale]}", "[]}")
    (problem,) = found(post, text)
    assert problem == (
        "10:12: error: messages would be acknowledged without weigh, stamp: name scale under 'integrations', "
        "or write leaveOut: [weigh, stamp] [missing]"
    )


def test_a_policy_is_stated_of_a_queue_of_somebody_elses_alone(site: Site) -> None:
    file = site.write("""
        brokers: {main: {host: rabbit}}
        queues:
          - {name: a, policy: {deliveryLimit: 9}}
          - {name: b, declare: passive, policy: {deliveryLimt: 9}}
          - {name: c, declare: passive, policy: {}}
        consumers: [{type: forward, queues: [a, b, c]}]
    """)
    _, problems = check(file)
    refused = "needs 'declare: passive': PACER gives its own queues their limit; leave 'policy' out"
    assert [str(one).partition("pacer.yaml:")[2] for one in problems] == [
        f"4:15: error: {refused} [bad-value]",
        "5:42: error: unknown key 'deliveryLimt' (did you mean 'deliveryLimit'?) [unknown-key]",
    ]
