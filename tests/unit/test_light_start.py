"""What every command of PACER loads: no library that only a task, a service or a broker's client needs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import distributions, packages_distributions, requires

STARTED = """
import json, sys
from importlib import import_module
from importlib.metadata import entry_points
from pacer_core.cli import COMMANDS
for command in COMMANDS:
    import_module("pacer_core.cli." + command)
for entry in entry_points(group="pacer"):
    entry.load()
print(json.dumps(sorted(sys.modules)))
"""
KOMBU = """
import json, sys, kombu.utils.json
print(json.dumps(sorted(sys.modules)))
"""
"""What kombu itself takes along where it is installed: `django.utils.functional`, for its JSON."""
ONE = """
import sys
from click.testing import CliRunner
from pacer_core.cli import COMMANDS, main
CliRunner().invoke(main, ["status", "--help"])
print([one for one in COMMANDS if "pacer_core.cli." + one in sys.modules])
"""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(distribution: str) -> set[str]:
    """Give the distributions that one asks for by itself, extras as well."""
    asked = (re.match(r"[\w.-]+", text) for text in requires(distribution) or ())
    return {normal(found[0]) for found in asked if found}


def test_a_plugin_that_is_loaded_loads_no_library_of_its_own() -> None:
    """A facility's people run ``pacer status`` many times a day, and each worker begins with all plugins."""
    ours = {normal(name) for one in distributions() if (name := one.metadata["Name"]).startswith("pacer")}
    plugins = set().union(*(needed(name) for name in ours - {"pacer-core"}))
    heavy = plugins - needed("pacer-core") - ours

    started, kombu = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for code in (STARTED, KOMBU)
    )
    names = {*json.loads(started.stdout)} - {*json.loads(kombu.stdout)}
    modules = {name.partition(".")[0] for name in names}
    provides = packages_distributions()
    loaded = {module: normal(owner) for module in modules for owner in provides.get(module, ())}
    assert heavy, "no plugin needs a library: is anything installed?"
    assert {module: owner for module, owner in loaded.items() if owner in heavy} == {}


def test_a_command_loads_no_other_one() -> None:
    started = subprocess.run([sys.executable, "-c", ONE], capture_output=True, text=True, check=True)
    assert started.stdout == "['status']\n"
