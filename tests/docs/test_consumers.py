"""The pages about consumer types say what their options classes say."""

import re

import attrs
import pytest

from docs import generate
from pacer_core import ConsumerType
from pacer_core.config.sections import camel
from pacer_core.plugins import load
from pacer_icat import plugin
from tests.docs.pages import ROOT

CONSUMERS = {one.name: one for one in plugin.pacer_consumers()}
NAMES = [
    "users",
    "investigations",
    "investigation-operations",
    "reingest",
    "dataset-files",
    "archive-status",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_lists_the_options_of_its_consumer_type_and_their_defaults(name: str) -> None:
    text = (ROOT / "docs" / "reference" / "consumers" / f"{name}.md").read_text()
    section = text.partition("\n## Options\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.+?`) \| (.*?) \|", section, re.MULTILINE)
    assert dict(rows) == options_of(CONSUMERS[name])


def options_of(consumer: ConsumerType) -> dict[str, str]:
    """Give the options of a consumer type and their defaults, as pages spell them."""
    attributes = () if consumer.options is None else attrs.fields(consumer.options)
    return {f"`{camel(one.name)}`": generate.spell_default(one) for one in attributes}


def test_all_tasks_can_tell_beforehand_but_those_of_the_types_that_the_page_about_plans_names() -> None:
    page = (ROOT / "docs" / "how-to" / "plan-messages.md").read_text()
    (sentence,) = re.findall(r"Those of (.+?) do not: ", page)
    untold = {name for name, one in load().consumers.items() if any(task.plan is None for task in one.tasks)}
    assert set(re.findall(r"`(.+?)`", sentence)) == untold
