"""Plugins as users install them: distributions that are found by their entry points."""

import json
import shutil
from typing import Any

import pytest

from tests.support import Site

PARCELS = """
    import click
    from attrs import frozen
    from pacer_core import ConsumerType, hookimpl, task

    @frozen
    class Parcel:
        number: str

    @task
    def weigh(parcel, ctx):
        pass

    @click.command()
    def parcels():
        click.echo("three parcels")

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(name="parcels", message=Parcel, tasks=[weigh])

    @hookimpl
    def pacer_commands():
        return [parcels]
"""
MEMORY = """
    brokers: {main: {protocol: memory}}
    queues: [{name: parcels}]
    consumers: [{type: parcels, queues: [parcels]}]
"""


def listed(site: Site) -> dict[str, Any]:
    done = site.pacer("plugins", "list", "--json")
    assert done.code == 0
    return {one["name"]: one for one in json.loads(done.out)["plugins"]}


def test_a_plugin_is_listed_with_its_distribution_version_state_and_what_it_registers(site: Site) -> None:
    site.install("parcel-post", PARCELS, version="2.5")
    assert listed(site)["parcel_post"] == {
        "name": "parcel_post",
        "distribution": "parcel-post",
        "version": "2.5",
        "state": "active",
        "error": None,
        "registers": {
            "consumers": ["parcels"],
            "commands": ["parcels"],
            "hooks": ["pacer_commands", "pacer_consumers"],
        },
    }
    row = next(line for line in site.pacer("plugins", "list").out.splitlines() if "parcel-post" in line)
    assert row.split()[:4] == ["parcel_post", "parcel-post", "2.5", "active"]


def test_the_core_is_listed_first_with_the_hooks_it_implements(site: Site) -> None:
    site.install("aardvark", PARCELS)
    plugins = listed(site)
    assert next(iter(plugins)) == "core"
    assert "pacer_parse_message" in plugins["core"]["registers"]["hooks"]


def test_plugins_are_listed_in_the_order_of_their_names(site: Site) -> None:
    site.install("zebra", "")
    site.install("aardvark", "")
    names = [name for name in listed(site) if name in ("zebra", "aardvark")]
    assert names == ["aardvark", "zebra"]


def test_a_blocked_plugin_is_as_good_as_not_installed(site: Site) -> None:
    site.install("parcel-post", PARCELS)
    file = site.write(MEMORY + "\n    plugins: {block: [parcel_post]}\n")
    done = site.pacer("config", "check", "-c", file)
    assert done.code == 1
    assert "unknown consumer type 'parcels'" in done.out
    assert "plugin 'parcel_post' (parcel-post 1.0) is blocked" in done.out


def test_a_blocked_plugin_is_not_even_imported(site: Site) -> None:
    site.install("parcel-post", PARCELS)
    site.install("grenade", "raise RuntimeError('imported')")
    file = site.write(MEMORY + "\n    plugins: {block: [grenade]}\n")
    assert site.pacer("config", "check", "-c", file).code == 0


@pytest.mark.parametrize(
    ("mistake", "cause"),
    [
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("def broken(:", "SyntaxError: invalid syntax"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_a_warning_in_the_list(
    site: Site, mistake: str, cause: str
) -> None:
    site.install("brokenpost", mistake, version="0.3")
    site.install("parcel-post", PARCELS)
    plugins = listed(site)
    assert plugins["brokenpost"]["state"] == "failed"
    assert plugins["brokenpost"]["registers"] == {}
    assert plugins["parcel_post"]["state"] == "active"
    done = site.pacer("plugins", "list")
    assert done.code == 0
    assert "warning: plugin 'brokenpost' (brokenpost 0.3) failed and is left out" in done.out
    assert cause in done.out


DATED = """
    from __future__ import annotations
    from datetime import date
    from attrs import frozen
    from pacer_core import ConsumerType, hookimpl

    @frozen
    class Stamp:
        day: date | None = None

    @frozen
    class Parcel:
        number: str
        stamps: tuple[Stamp, ...] = ()
        after: Parcel | None = None

    @hookimpl
    def pacer_consumers():
        return [ConsumerType(name="parcels", message=Parcel, tasks=[])]
"""


def test_a_message_class_into_which_nothing_can_be_read_is_its_plugins_failure(site: Site) -> None:
    site.install("parcel-post", DATED)
    found = listed(site)["parcel_post"]
    assert found["state"] == "failed"
    assert "consumer type 'parcels': no message can be read into Stamp.day: date; a message" in found["error"]
    done = site.pacer("config", "check", "-c", site.write(MEMORY))
    assert done.code == 1
    assert "no message can be read into Stamp.day: date" in done.out


def test_a_plugin_that_cannot_be_imported_is_an_error_with_its_cause_where_it_is_used(site: Site) -> None:
    site.install("brokenpost", "import no_such_library")
    done = site.pacer("config", "check", "-c", site.write(MEMORY))
    assert done.code == 1
    assert "unknown consumer type 'parcels'" in done.out
    assert "plugin 'brokenpost' (brokenpost 1.0) failed to load" in done.out
    assert "ModuleNotFoundError: No module named 'no_such_library'" in done.out


def test_a_plugin_that_cannot_be_imported_disturbs_no_configuration_that_does_not_use_it(site: Site) -> None:
    site.install("brokenpost", "import no_such_library")
    site.install("parcel-post", PARCELS)
    assert site.pacer("config", "check", "-c", site.write(MEMORY)).code == 0


def test_a_misspelt_hook_is_a_failure_of_its_plugin_alone(site: Site) -> None:
    site.install(
        "typo",
        """
        from pacer_core import hookimpl
        @hookimpl
        def pacer_consumer():
            return []
        """,
    )
    site.install("parcel-post", PARCELS)
    plugins = listed(site)
    assert plugins["typo"]["state"] == "failed"
    assert "pacer_consumer" in plugins["typo"]["error"]
    assert plugins["parcel_post"]["state"] == "active"


def test_a_hook_with_arguments_that_there_are_not_is_a_failure_of_its_plugin(site: Site) -> None:
    site.install(
        "typo",
        """
        from pacer_core import hookimpl
        @hookimpl
        def pacer_parse_message(envelope, kind):
            return None
        """,
    )
    plugins = listed(site)
    assert plugins["typo"]["state"] == "failed"
    assert "kind" in plugins["typo"]["error"]


@pytest.mark.parametrize("hook", ["pacer_consumers()", "pacer_integrations()", "pacer_commands()"])
@pytest.mark.parametrize("mistake", ["raise OSError('out of stamps')", "return ['stamps']", "return 7"])
def test_a_hook_that_fails_at_start_up_is_a_failure_of_its_plugin_alone(
    site: Site, hook: str, mistake: str
) -> None:
    site.install("flaky", f"from pacer_core import hookimpl\n@hookimpl\ndef {hook}:\n    {mistake}\n")
    site.install("parcel-post", PARCELS)
    plugins = listed(site)
    assert plugins["flaky"]["state"] == "failed"
    assert plugins["flaky"]["error"]
    assert plugins["parcel_post"]["state"] == "active"
    assert site.pacer("config", "check", "-c", site.write(MEMORY)).code == 0


def test_a_plugin_that_fails_late_leaves_nothing_of_what_it_has_registered(site: Site) -> None:
    site.install("parcel-post", PARCELS)
    site.install(
        "flaky",
        """
        import click
        from pacer_core import hookimpl, task

        @task
        def stamp(parcel, ctx):
            raise AssertionError("left over")

        @hookimpl
        def pacer_commands():
            return [click.Command("stamps")]

        @hookimpl
        def pacer_tasks(consumer):
            if consumer == "letters":
                raise OSError("out of stamps")
            return [stamp] if consumer == "parcels" else []
        """,
    )
    site.install("letter-post", PARCELS.replace("parcels", "letters"))
    plugins = listed(site)
    assert plugins["flaky"]["state"] == "failed"
    assert "No such command 'stamps'" in site.pacer("stamps").err
    file = site.write(MEMORY + "\n    # the task would need nothing, and run\n")
    from pacer_core.config import load

    (plan,) = load(file).consumers
    assert [task.name for task in plan.pipeline.tasks] == ["weigh"]


def test_what_pip_left_behind_is_passed_over_and_named(site: Site) -> None:
    site.install("parcel-post", PARCELS)
    left = site.folder / "~arcel_post-1.0.dist-info"
    shutil.copytree(site.folder / "parcel_post-1.0.dist-info", left)
    assert site.pacer("config", "check", "-c", site.write(MEMORY)).code == 0
    assert f"{left} is passed over" in site.pacer("plugins", "list").out
    assert json.loads(site.pacer("plugins", "list", "--json").out)["leftovers"] == [str(left)]


def test_a_plugin_with_a_syntax_error_is_reported_with_its_file_and_line(site: Site) -> None:
    package = site.install("brokenpost", "import json\ndef (:\n")
    done = site.pacer("config", "check", "-c", site.write(MEMORY))
    assert f"SyntaxError: invalid syntax ({package / 'plugin.py'}:2)" in done.out
