"""What the log says of an outside system that is away."""

import logging
from contextlib import nullcontext

import pytest

from pacer_core import ConsumerType, IntegrationType, Retry, task
from pacer_core.config.model import Consumer, ConsumerPlan, Integration
from pacer_core.pipeline.processing import Pipeline
from pacer_core.work.breakers import THRESHOLD, Breakers


class _Silent(Retry):
    """A name that is no business of whoever reads the log."""


SCALE: IntegrationType[None] = IntegrationType(
    name="scale",
    options=dict,
    open=nullcontext,
    is_away=lambda error: isinstance(error, _Silent),
)


@task(needs=[SCALE])
def weigh(parcel: object, ctx: object) -> None:
    """Weigh."""


def test_a_system_that_is_away_is_told_in_its_own_words_alone(caplog: pytest.LogCaptureFixture) -> None:
    type_ = ConsumerType(name="parcels", message=None, tasks=[weigh])
    pipeline = Pipeline("parcels", type_, lambda envelope, consumer: None, (weigh,))
    plan = ConsumerPlan(Consumer("parcels", ("q",)), pipeline, {"scale": Integration("scale-1", SCALE, None)})
    breakers = Breakers([plan], lambda integration: None)
    with caplog.at_level(logging.WARNING):
        for _ in range(THRESHOLD):
            breakers.ended(plan, weigh, _Silent("the scale at scale.example.org does not answer"))
    assert caplog.messages == [
        "integration scale-1 is away, what needs it waits: the scale at scale.example.org does not answer"
    ]
    assert breakers.blocks(plan, weigh) == "scale-1"
