"""Messages, tasks and hooks that do harm, among good ones."""

from __future__ import annotations

import pytest

from tests.at_length import Scale, long
from tests.faults.ledger import Ledger


@pytest.mark.parametrize("threads", [pytest.param(1, marks=long), 4])
def test_a_message_that_kills_its_worker_dies_alone(ledger: Ledger, scale: Scale, threads: int) -> None:
    ledger.configure(consumer=f", concurrency: {threads}")
    ledger.send(100)
    (poison,) = ledger.send(first="exit")
    ledger.dead.add(poison)
    ledger.send(scale(900, 9900))
    running = ledger.lab.run()
    ledger.wait(running, scale(120, 300))

    assert running.end() == 0
    assert "dead in jobs.dead: worker: worker died 3 times" in running.printed
    account = ledger.close(f"one poison message, {threads} thread(s)")
    assert (account.done, account.dead) == (scale(1000, 10_000), 1)


PARSER = """
    import ctypes, os, time
    from pacer_core import hookimpl

    @hookimpl
    def pacer_parse_message(envelope, consumer):
        if b"kill the parser" in envelope.body:
            os._exit(3)
        elif b"hang the parser" in envelope.body:
            time.sleep(3600)
        elif b"hold the interpreter" in envelope.body:
            ctypes.PyDLL(None).sleep(3600)  # the lock of the interpreter is kept
"""


@pytest.mark.parametrize("threads", [1, 4])
def test_a_message_that_kills_its_worker_in_the_parser_dies_alone(
    ledger: Ledger, scale: Scale, threads: int
) -> None:
    ledger.lab.site.install("fragile-pacer", PARSER)
    ledger.configure(consumer=f", concurrency: {threads}")
    ledger.send(100)
    ledger.dead.update(ledger.send(other="kill the parser"))
    ledger.send(scale(200, 2000))
    running = ledger.lab.run()
    ledger.wait(running, scale(120, 300))

    assert running.end() == 0
    assert "dead in jobs.dead: worker: worker died 3 times" in running.printed
    assert ledger.close(f"a message that kills parsers, {threads} thread(s)").dead == 1


@pytest.mark.parametrize(
    ("threads", "does", "said"),
    [
        (1, "hang the parser", "is not parsed after 1 s; the process ends"),
        (4, "hang the parser", "is not parsed after 1 s; the process ends"),
        (4, "hold the interpreter", "is held by a message for longer than taskTimeout; killed"),
    ],
)
def test_a_message_that_holds_its_parser_is_dead_in_the_end(
    ledger: Ledger, threads: int, does: str, said: str
) -> None:
    ledger.lab.site.install("fragile-pacer", PARSER)
    ledger.configure(consumer=f", concurrency: {threads}, taskTimeout: 1s, crashes: 2")
    ledger.send(20)
    ledger.dead.update(ledger.send(other=does))
    ledger.send(20)
    running = ledger.lab.run()
    ledger.wait(running)

    assert said in running.printed
    assert running.end() == 0
    assert "dead in jobs.dead: worker: worker died 2 times" in running.printed
    assert ledger.close(f"{does}, {threads} thread(s)").dead == 1


def test_what_cannot_be_read_is_dead_and_holds_nobody_up(ledger: Ledger, scale: Scale) -> None:
    ledger.configure(consumer=", concurrency: 8")
    bad = (b"", b"{", b"<job><name>", b"[]", b"\xff\xfe\xfd", b'{"name": 7}', b"nothing at all")
    many = scale(500, 10_000)
    for first in range(0, many, 100):
        bodies = {f"bad-{number}": bad[number % len(bad)] for number in range(first, first + 100)}
        ledger.publish(bodies)
        ledger.dead |= set(bodies)
        ledger.send(100)
    running = ledger.lab.run()
    ledger.wait(running, scale(120, 600))

    assert running.end() == 0
    account = ledger.close(f"{many} unparsable messages among {many}")
    assert (account.done, account.dead, account.twice) == (many, many, 0)


def test_a_task_that_hangs_is_settled_and_its_worker_replaced(ledger: Ledger, scale: Scale) -> None:
    ledger.configure(consumer=", concurrency: 4, taskTimeout: 1s", grace="1s")
    ledger.send(50)
    ledger.send(scale(1, 3), first="hang once")
    ledger.send(50)
    running = ledger.lab.run()
    ledger.wait(running, scale(120, 300))

    assert "has not ended in 1 s" in running.printed
    assert running.end() == 0
    assert ledger.close("tasks that hang").dead == 0


def test_a_task_that_always_hangs_in_the_only_thread_is_dead_in_the_end(ledger: Ledger) -> None:
    ledger.configure(consumer=", concurrency: 1, taskTimeout: 1s, crashes: 2")
    ledger.dead.update(ledger.send(first="hang"))
    ledger.send(10)
    running = ledger.lab.run()
    ledger.wait(running)

    assert running.end() == 0
    assert "dead in jobs.dead: worker: worker died 2 times" in running.printed
    assert ledger.close("a task that always hangs, 1 thread").dead == 1


def test_a_task_that_leaks_memory_gets_a_fresh_process(ledger: Ledger, scale: Scale) -> None:
    ledger.configure(consumer=", concurrency: 2")
    ledger.send(50)
    ledger.send(scale(4, 12), first="leak 1500")
    ledger.send(50)
    running = ledger.lab.run()
    ledger.wait(running, scale(120, 600))

    assert "a task that finds no memory" in running.printed
    assert running.end() == 0
    assert ledger.close("tasks that leak memory").dead == 0


HOOKS = """
    from pacer_core import hookimpl

    def fails(envelope, where):
        if where.encode() in envelope.body:
            raise RuntimeError("a mistake in a plugin")

    @hookimpl
    def pacer_parse_message(envelope, consumer):
        fails(envelope, "in its parser")

    @hookimpl
    def pacer_route_message(message, envelope, routes):
        fails(envelope, "in its routing")

    @hookimpl
    def pacer_message_settled(delivery, ctx):
        raise RuntimeError("another mistake")
"""


def test_a_plugin_that_raises_in_a_hook_harms_its_own_messages_alone(ledger: Ledger, scale: Scale) -> None:
    ledger.lab.site.install("broken-pacer", HOOKS)
    nobody = "{name: away, host: 127.0.0.1, port: 1, forwardingRules: [{fromExchange: nowhere}]}"
    ledger.configure(
        consumer=", concurrency: 4, retries: {limit: 1, delay: 1s}",
        recipients=f"recipients: [{nobody}]",
        more="exchanges: [{name: nowhere, type: direct}]",
    )
    ledger.mixture(scale(50, 1000))
    unread = set(ledger.send(scale(5, 100), other="fails in its parser"))
    unrouted = set(ledger.send(scale(5, 100), other="fails in its routing"))
    ledger.dead |= unread | unrouted
    ledger.mixture(scale(50, 1000))
    running = ledger.lab.run()
    ledger.wait(running)

    assert running.end() == 0
    assert "lost amqp://" not in running.printed
    account = ledger.close("hooks that raise")
    assert account.excused == 0
    done = {name for _, name in ledger.done()}
    assert unrouted <= done, "routing is no reason not to do what is to be done here"
    assert unread.isdisjoint(done)
