"""A parser of bodies, as it is begun."""

from __future__ import annotations

from pacer_core.cli.scaffold.parts.part import Part

PARSER = Part(
    "parser",
    '''"""Reads bodies of CSV: a line of names and a line of values."""

from __future__ import annotations

import csv
import io
from typing import Any

from pacer_core import ConsumerType, Envelope, Reject, structured


def read_csv(envelope: Envelope, consumer: ConsumerType) -> Any:
    """Give the message of a CSV body; ``None`` of anything else, which the next plugin is asked about."""
    if consumer.message is None or envelope.content_type != "text/csv":
        return None
    try:
        rows = list(csv.DictReader(io.StringIO(envelope.body.decode(), newline="")))
    except (UnicodeDecodeError, csv.Error):
        raise Reject("the body is not CSV in UTF-8") from None
    if len(rows) != 1:
        raise Reject(f"the body should have one line below that of the names, not {len(rows)}")
    return structured(rows[0], consumer.message)
''',
    (
        "from typing import Any",
        "from pacer_core import ConsumerType, Envelope",
        "from $package.parser import read_csv",
    ),
    "parse: read_csv",
    '''"""Bodies of CSV."""

from __future__ import annotations

from attrs import frozen

from $package.plugin import pacer_parse_message
from pacer_core import ConsumerType, Outcome, Text
from pacer_core.testing import deliver


@frozen
class Row:
    name: Text
    number: int = 0


ROWS = ConsumerType(name="rows", message=Row, tasks=[])


def test_a_line_of_values_is_a_message() -> None:
    body = "name,number\\nab,7\\n"
    delivery = deliver(ROWS, body, content_type="text/csv", parse=pacer_parse_message)
    assert delivery.message == Row(Text("ab"), 7)


def test_bad_fields_are_named() -> None:
    body = "name,number\\n,many\\n"
    delivery = deliver(ROWS, body, content_type="text/csv", parse=pacer_parse_message)
    assert delivery.outcome is Outcome.DEAD
    assert [bad.path for bad in delivery.failures[0].fields] == ["name", "number"]


def test_other_bodies_are_left_to_others() -> None:
    assert deliver(ROWS, '{"name": "ab"}', parse=pacer_parse_message).message == Row(Text("ab"))
''',
    "bodies in a format of the facility's own",
)
