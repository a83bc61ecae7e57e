"""Messages about scans, and what has to become of those that cannot be accepted."""

from datetime import datetime
from typing import Any

import orjson
from attrs import field, frozen

from pacer_core import ConsumerType, Context, Delivery, Outcome, Scalar, Text, element, task
from pacer_core.testing import deliver

CANARY = "c4n4ry"


def _picky(_: Any, __: Any, value: str) -> None:
    if value == CANARY:
        raise ValueError(f"{value} is not liked")


@frozen
class Parameter:
    name: Text
    value: Scalar


@frozen
class Scan:
    name: Text
    start_date: datetime
    count: int
    ratio: float
    good: bool = True
    title: str = field(default="", validator=_picky)
    parameters: tuple[Parameter, ...] = element("parameter", default=())
    keywords: tuple[str, ...] = ()
    after: "Scan | None" = None


@task
def see(message: Any, ctx: Context) -> None:
    raise AssertionError("a bad message reached its tasks")


SCANS = ConsumerType(name="scans", message=Scan, tasks=[see])
GOOD = {"name": "a", "startDate": "2024-05-01T12:30:00", "count": 1, "ratio": 2.5}
XML = (
    "<scan><name>a</name><startDate>2024-05-01T12:30:00</startDate><count>1</count><ratio>2.5</ratio></scan>"
)


def dead(body: str | bytes, content_type: str | None = None) -> Delivery:
    """Give the delivery of a body that has to be refused."""
    delivery = deliver(SCANS, body, content_type=content_type)
    assert delivery.outcome is Outcome.DEAD, delivery
    assert delivery.message is None
    assert delivery.failures[0].task == "parse"
    assert delivery.failures[0].kind == "reject"
    assert CANARY not in repr(delivery.failures)
    return delivery


def fields(delivery: Delivery) -> list[str]:
    return [str(bad) for bad in delivery.bad_fields]


def changed(**values: Any) -> bytes:
    return orjson.dumps(GOOD | values)
