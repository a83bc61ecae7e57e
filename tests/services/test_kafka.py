"""Kafka, as tests start it."""

from __future__ import annotations

from tests.services import Kafka
from tests.services.fixtures import skip_without_program


def test_a_broker_comes_back_after_a_power_cut_and_leaves_nothing_behind() -> None:
    with skip_without_program():
        broker = Kafka()
    with broker:
        assert broker.running
        broker.kill()
        assert not broker.running
        broker.start()
        broker.restart()
        assert broker.running
        folder = broker._nest.folder
    assert not folder.exists()
