"""What every transport keeps, at SQS, as far as SQS can."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from attrs import evolve

from pacer_contract import Broker
from pacer_contract.tests import *  # noqa: F403
from pacer_sqs import SQS, LargeBodies, SqsOptions


@pytest.fixture
def broker(options: SqsOptions, large: LargeBodies) -> Iterator[Broker]:
    with Broker(SQS, evolve(options, large_bodies=large)) as broker:
        yield broker
