"""Several plugins at once: names that collide, the order of hooks, and commands that share a group."""

import json
from importlib import import_module
from typing import Any

from pacer_core.plugins import load
from pacer_dashboard_log.records import TYPES
from tests.support import Site

CONSUMER = """
    from pacer_core import ConsumerType, hookimpl

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(name="{name}", message=None, tasks=[])
"""
MEMORY = """
    brokers: {main: {protocol: memory}}
    queues: [{name: parcels}]
    consumers: [{type: parcels, queues: [parcels]}]
"""
PARSER = """
    from pacer_core import Reject, hookimpl

    @hookimpl
    def pacer_parse_message(envelope, consumer):
        print("{name} is asked")
        {answer}
"""
PARCEL = """
    from attrs import frozen
    from pacer_core import ConsumerType, hookimpl, task

    @frozen
    class Parcel:
        number: str

    @task
    def weigh(parcel, ctx):
        print("weighed", parcel)

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(name="parcels", message=Parcel, tasks=[weigh])
"""
GROUP = """
    import click
    from pacer_core import hookimpl

    @click.group("{group}")
    def group():
        pass

    @group.command("{command}")
    def command():
        click.echo("{command} runs")

    @hookimpl
    def pacer_commands():
        return [group]
"""


def conflicts(site: Site) -> list[str]:
    found: list[str] = json.loads(site.pacer("plugins", "list", "--json").out)["conflicts"]
    return found


def parsed(site: Site, body: bytes) -> Any:
    from pacer_core.model.messages import Envelope
    from pacer_core.plugins import load

    plugins = load()
    return plugins.parse_message(Envelope(body, queue="test"), plugins.consumers["parcels"])


def test_two_plugins_with_one_consumer_type_are_a_conflict_that_names_both_distributions(site: Site) -> None:
    site.install("parcel-post", CONSUMER.format(name="parcels"), version="1.0")
    site.install("rival-post", CONSUMER.format(name="parcels"), version="2.0")
    (conflict,) = conflicts(site)
    assert conflict == (
        "'parcels' (consumers) is registered by parcel-post 1.0 and by rival-post 2.0: "
        "block one of the plugins 'parcel_post' and 'rival_post'"
    )
    assert f"error: {conflict}" in site.pacer("plugins", "list").out


def test_a_conflict_is_an_error_of_the_configuration(site: Site) -> None:
    site.install("parcel-post", CONSUMER.format(name="parcels"))
    site.install("rival-post", CONSUMER.format(name="parcels"))
    done = site.pacer("config", "check", "-c", site.write(MEMORY))
    assert done.code == 1
    assert "parcel-post 1.0 and by rival-post 1.0" in done.out


def test_blocking_one_of_two_plugins_ends_their_conflict(site: Site) -> None:
    site.install("parcel-post", CONSUMER.format(name="parcels"))
    site.install("rival-post", CONSUMER.format(name="parcels"))
    file = site.write(MEMORY + "\n    plugins: {block: [rival_post]}\n")
    assert site.pacer("config", "check", "-c", file).code == 0


def test_two_distributions_with_one_plugin_name_are_a_conflict(site: Site) -> None:
    site.install("parcel-post", CONSUMER.format(name="parcels"), entry="post")
    site.install("rival-post", CONSUMER.format(name="letters"), entry="post")
    (conflict,) = conflicts(site)
    assert "plugin name 'post' is used by" in conflict
    assert "parcel-post" in conflict
    assert "rival-post" in conflict


def test_no_plugin_can_take_the_name_of_the_core(site: Site) -> None:
    site.install("impostor", CONSUMER.format(name="parcels"), entry="core")
    (conflict,) = conflicts(site)
    assert "'core' is used by pacer-core and by impostor" in conflict


def test_two_plugins_that_add_a_task_of_one_name_are_a_conflict(site: Site) -> None:
    adding = """
        from pacer_core import hookimpl, task
        @task
        def stamp(parcel, ctx):
            pass
        @hookimpl
        def pacer_tasks(consumer):
            return [stamp] if consumer == "parcels" else []
    """
    site.install("parcel-post", CONSUMER.format(name="parcels"))
    site.install("first-stamps", adding)
    site.install("other-stamps", adding)
    (conflict,) = conflicts(site)
    assert "'stamp' (tasks of parcels) is registered by first-stamps 1.0 and by other-stamps 1.0" in conflict


def test_two_plugins_with_one_command_that_is_no_group_are_a_conflict(site: Site) -> None:
    command = """
        import click
        from pacer_core import hookimpl
        @hookimpl
        def pacer_commands():
            return [click.Command("stamps")]
    """
    site.install("first-stamps", command)
    site.install("other-stamps", command)
    (conflict,) = conflicts(site)
    assert "'stamps' (commands) is registered by first-stamps 1.0 and by other-stamps 1.0" in conflict


def test_parsers_are_asked_in_the_order_of_their_plugins_names_and_the_core_last(
    site: Site, capsys: Any
) -> None:
    site.install("parcel-post", PARCEL)
    site.install("zebra", PARSER.format(name="zebra", answer="return None"))
    site.install("aardvark", PARSER.format(name="aardvark", answer="return None"))
    assert parsed(site, b'{"number": "7"}').number == "7"
    assert capsys.readouterr().out.splitlines() == ["aardvark is asked", "zebra is asked"]


def test_the_first_parser_that_answers_ends_the_questions(site: Site, capsys: Any) -> None:
    site.install("parcel-post", PARCEL)
    site.install("zebra", PARSER.format(name="zebra", answer="return None"))
    site.install("aardvark", PARSER.format(name="aardvark", answer="return 'mine'"))
    assert parsed(site, b'{"number": "7"}') == "mine"
    assert capsys.readouterr().out.splitlines() == ["aardvark is asked"]


def test_tasks_of_another_plugin_come_after_the_consumer_s_own(site: Site) -> None:
    site.install("parcel-post", PARCEL)
    site.install(
        "aardvark",
        """
        from pacer_core import hookimpl, task

        @task
        def stamp(parcel, ctx):
            pass

        @task(after=["stamp"])
        def send(parcel, ctx):
            pass

        @hookimpl
        def pacer_tasks(consumer):
            return [send, stamp] if consumer == "parcels" else []
        """,
    )
    from pacer_core.config import load

    (plan,) = load(site.write(MEMORY)).consumers
    assert [task.name for task in plan.pipeline.tasks] == ["weigh", "stamp", "send"]


def test_groups_of_one_name_are_joined(site: Site) -> None:
    site.install("first-stamps", GROUP.format(group="stamps", command="print"))
    site.install("other-stamps", GROUP.format(group="stamps", command="burn"))
    assert conflicts(site) == []
    assert site.pacer("stamps", "print").out == "print runs\n"
    assert site.pacer("stamps", "burn").out == "burn runs\n"
    assert "stamps" in site.pacer("--help").out


def test_a_group_of_a_plugin_joins_a_group_of_the_core(site: Site) -> None:
    site.install("first-stamps", GROUP.format(group="config", command="stamps"))
    assert site.pacer("config", "stamps").out == "stamps runs\n"
    assert "check" in site.pacer("config", "--help").out


def test_no_plugin_can_replace_a_command_of_the_core(site: Site) -> None:
    site.install("impostor", GROUP.format(group="config", command="check"))
    done = site.pacer("config", "check", "-c", site.folder / "none.yaml")
    assert "cannot be read" in done.out
    assert any("'config check' (commands)" in one and "impostor" in one for one in conflicts(site))


def test_a_command_is_found_although_another_plugin_is_broken(site: Site) -> None:
    site.install("broken", "import no_such_library")
    site.install("first-stamps", GROUP.format(group="stamps", command="print"))
    assert site.pacer("stamps", "print").out == "print runs\n"


def test_the_commands_that_no_plugin_can_replace_are_those_of_the_core() -> None:
    from click import Group

    from pacer_core.cli import COMMANDS
    from pacer_core.plugins import CORE_COMMANDS

    built_in = {name: getattr(import_module(f"pacer_core.cli.{name}"), name) for name in COMMANDS}
    labels = {
        f"{name} {child}" if child else name
        for name, command in built_in.items()
        for child in (command.commands if isinstance(command, Group) else [""])
    }
    assert labels == set(CORE_COMMANDS)


def test_the_dashboard_s_names_are_those_of_consumer_types_that_there_are() -> None:
    assert set(TYPES) <= set(load().consumers)
