"""Repeated values go into tuples and lists alike."""

import pytest
from attrs import frozen

from pacer_core import ConsumerType, Outcome, Text, element, task
from pacer_core.testing import deliver


@frozen
class Rack:
    name: Text
    slots: list[int] = element("slot", factory=list)
    shelves: tuple[int, ...] = element("shelf", default=())


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "r", "slots": [12, 7], "shelves": [3]}',
        b"<rack><name>r</name><slot>12</slot><slot>7</slot><shelf>3</shelf></rack>",
    ],
    ids=["JSON", "XML"],
)
def test_a_list_takes_repeated_values_as_a_tuple_does(body: bytes) -> None:
    delivery = deliver(ConsumerType("racks", Rack, [task(lambda rack, ctx: None)]), body)
    assert delivery.outcome is Outcome.ACKED
    assert delivery.message == Rack(Text("r"), [12, 7], (3,))


def test_text_where_a_list_is_expected_is_refused() -> None:
    delivery = deliver(ConsumerType("racks", Rack, []), b'{"name": "r", "slots": "12"}')
    assert [str(field) for field in delivery.bad_fields] == ["slots: is not a list"]
