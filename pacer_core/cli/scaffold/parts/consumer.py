"""A consumer type, as it is begun."""

from __future__ import annotations

from pacer_core.cli.scaffold.parts.part import Part

CONSUMER = Part(
    "$snake",
    '''"""The consumer type ``$type``: its message, its options, and the task that handles a message.$was"""

from __future__ import annotations

from attrs import frozen

from pacer_core import BadField, ConsumerType, Context, Planned, Reject, Text, task


@frozen
class $Message:
    """A message; each field is one of the body, and ``Text`` is one that is not empty."""

    name: Text
    number: int = 0


@frozen
class ${Message}Options:
    """The YAML options of a consumer of type ``$type``.

    Attributes
    ----------
    largest_number
        The largest number that is accepted; in YAML it is ``largestNumber``.
    """

    largest_number: int = 1000


def foresee_$snake(message: $Message, ctx: Context) -> list[Planned]:
    """Say for ``pacer plan`` what `handle_$snake` would do; it reads, and writes nothing."""
    options: ${Message}Options = ctx.options
    if message.number > options.largest_number:
        bad = BadField("number", f"is more than {options.largest_number}")
        raise Reject("the message has bad fields", fields=[bad])
    return [Planned(f"$type {message.name!r}", "new")]


@task(plan=foresee_$snake)
def handle_$snake(message: $Message, ctx: Context) -> None:
    """Do the work of a message. It may come twice, so doing it twice has to be the same as once."""
    for planned in foresee_$snake(message, ctx):
        ctx.log.info("%s is %s", planned.what, planned.change)


def describe(message: $Message) -> dict[str, str]:
    """Give the identifiers by which people look for a message."""
    return {"name": message.name}


$CONSTANT = ConsumerType(
    name="$type",
    message=$Message,
    tasks=[handle_$snake],
    options=${Message}Options,
    describe=describe,
)
''',
    ("from pacer_core import ConsumerType", "from $package.$snake import $CONSTANT"),
    "consumers: $CONSTANT",
    '''"""The consumer type ``$type``."""

from __future__ import annotations

from $package.$snake import $CONSTANT, ${Message}Options
from pacer_core import Outcome
from pacer_core.testing import deliver


def test_a_message_is_handled_twice_as_once() -> None:
    assert deliver($CONSTANT, '{"name": "a", "number": 7}', twice=True).outcome is Outcome.ACKED


def test_a_message_that_is_wrong_is_dead_with_its_bad_fields() -> None:
    delivery = deliver($CONSTANT, '{"name": ""}')
    assert delivery.outcome is Outcome.DEAD
    assert [bad.path for bad in delivery.failures[0].fields] == ["name"]


def test_options_are_kept() -> None:
    options = ${Message}Options(largest_number=5)
    assert deliver($CONSTANT, '{"name": "a", "number": 6}', options=options).outcome is Outcome.DEAD
''',
    "a kind of message, its options, and what is done with one",
)
