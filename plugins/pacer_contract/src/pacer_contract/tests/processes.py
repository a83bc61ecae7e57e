from __future__ import annotations

import signal
import subprocess

from pacer_contract.broker import Broker, Inbox, count, declare, drain, eventually, send, wait_for


def say(process: subprocess.Popen[str], word: str = "go") -> None:
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_messages_of_a_killed_process_come_back_in_front_and_marked(broker: Broker) -> None:
    broker.needs("several_processes", "survives_kill")
    channel = broker.channel()
    declare(channel)
    send(channel, *range(20))
    child = broker.child("hold", 5)
    assert hear(child) == "holding"
    inbox = Inbox(channel)
    inbox.wait(15)
    for message in inbox.messages:
        channel.basic_ack(message.delivery_tag)
    if broker.capabilities.order:
        assert inbox.bodies == [str(number) for number in range(5, 20)]

    child.send_signal(signal.SIGKILL)

    inbox.wait(20)
    if broker.capabilities.order:
        assert inbox.bodies[15:] == ["0", "1", "2", "3", "4"]
    assert sorted(inbox.bodies, key=int) == [str(number) for number in range(20)]
    assert all(message.delivery_info["redelivered"] for message in inbox.messages[15:])


def test_a_broker_that_was_alone_gives_the_messages_of_a_killed_process_back(broker: Broker) -> None:
    broker.needs("several_processes", "survives_kill")
    connection = broker.connect()
    channel = broker.channel(connection)
    declare(channel)
    send(channel, *range(20))
    connection.close()
    child = broker.child("hold", 5)
    assert hear(child) == "holding"

    child.kill()
    child.wait()

    inbox = Inbox(broker.channel())
    inbox.wait(20)
    assert sorted(inbox.bodies, key=int) == [str(number) for number in range(20)]


def test_a_killed_process_is_no_consumer_any_more(broker: Broker) -> None:
    broker.needs("several_processes", "survives_kill")
    channel = broker.channel()
    declare(channel, x_single_active_consumer=True)
    send(channel, "one")
    child = broker.child("hold", 1)
    assert hear(child) == "holding"
    standby = Inbox(channel)
    assert standby.stays_at(0)

    child.kill()

    standby.wait(1)
    assert eventually(lambda: channel.queue_declare("q", passive=True).consumer_count == 1)


def test_several_processes_share_a_queue_without_doubles(broker: Broker) -> None:
    broker.needs("several_processes")
    channel = broker.channel()
    declare(channel)
    children = [broker.child("consume") for _ in range(3)]
    assert [hear(child) for child in children] == ["ready"] * 3
    for child in children:
        say(child)

    many = broker.some(300)
    send(channel, *range(many))

    shares = [child.communicate()[0].split() for child in children]
    assert sorted(int(word) for share in shares for word in share) == list(range(many))
    assert all(shares)
    assert count(channel) == 0


def test_several_processes_publish_to_one_queue(broker: Broker) -> None:
    broker.needs("several_processes")
    channel = broker.channel()
    declare(channel)
    children = [broker.child("send", *range(start, start + 50)) for start in (0, 50, 100)]
    for child in children:
        say(child)

    assert [hear(child) for child in children] == ["sent"] * 3

    inbox = Inbox(channel)
    inbox.wait(150)
    assert sorted(int(body) for body in inbox.bodies) == list(range(150))
    for start in (0, 50, 100) if broker.capabilities.order else ():
        assert [int(body) for body in inbox.bodies if start <= int(body) < start + 50] == list(
            range(start, start + 50)
        )


def test_a_waiting_consumer_gets_what_another_process_sends(broker: Broker) -> None:
    broker.needs("several_processes")
    channel = broker.channel()
    declare(channel)
    inbox = Inbox(channel)
    child = broker.child("send", "hello")
    say(child)

    wait_for(channel, lambda: inbox.bodies == ["hello"])


def test_what_a_killed_publisher_saw_confirmed_is_there(broker: Broker) -> None:
    broker.needs("several_processes", "survives_kill")
    channel = broker.channel()
    declare(channel)
    child = broker.child("count")
    assert child.stdout is not None
    for _ in range(200):
        child.stdout.readline()

    child.kill()

    confirmed = 200 + len(child.stdout.read().splitlines())
    inbox = Inbox(channel)
    inbox.wait(confirmed)
    drain(channel, 0.2)
    assert broker.as_sent(inbox.bodies)[:confirmed] == [str(number) for number in range(confirmed)]
    assert len(inbox.bodies) <= confirmed + 1  # one may have been confirmed to nobody


def test_nothing_is_lost_while_processes_are_killed_again_and_again(broker: Broker) -> None:
    broker.needs("several_processes", "survives_kill")
    channel = broker.channel()
    declare(channel)
    declare(channel, "done")
    each, kills = broker.some(100), max(2, broker.some(6))
    children = [broker.child("move") for _ in range(2)]

    for kill in range(kills):
        assert hear(children[0]) == "ready"
        send(channel, *range(kill * each, (kill + 1) * each))
        for _ in range(each // 12 + 3 * kill):  # never at the same place
            assert hear(children[0]) == "moved"
        children.pop(0).kill()
        children.append(broker.child("move"))
    inbox = Inbox(channel, "done")
    wait_for(channel, lambda: len(set(inbox.bodies)) == kills * each)

    assert set(inbox.bodies) == {str(number) for number in range(kills * each)}
    assert len(inbox.bodies) <= kills * each + kills  # one message each was between its copy and its end
