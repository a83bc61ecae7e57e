"""What every transport keeps, at SQS, as far as SQS can."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from attrs import evolve

from pacer_contract import Broker
from pacer_contract.tests import *  # noqa: F403
from pacer_sqs import SQS, LargeBodies, SqsOptions
from tests.at_length import Scale


@pytest.fixture
def broker(options: SqsOptions, large: LargeBodies, scale: Scale) -> Iterator[Broker]:
    share = scale(25, 100) / 100  # a request of ElasticMQ's takes three milliseconds of a core
    with Broker(SQS, evolve(options, large_bodies=large), share=share) as broker:
        yield broker
