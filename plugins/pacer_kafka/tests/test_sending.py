"""What is published of a batch, where the broker takes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from pacer_core import Publication, RefusedError
from pacer_core.testing import FakeService
from pacer_kafka import KAFKA, KafkaOptions, Topic
from pacer_kafka.offsets import Offsets
from pacer_kafka.reading import Reader, Record
from pacer_kafka.sending import Sending


def test_a_record_that_not_even_the_dead_queue_takes_note_of_is_told_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: Publication) -> None:
        raise RefusedError("nothing is taken")

    options = KafkaOptions(("kafka:9092",), (Topic("t", ("json",), {"json": "requests"}),))
    service = FakeService(KAFKA, options, folder=tmp_path, broker=refuse)
    offsets = Offsets()
    offsets.assigned([("t", 0)])
    Sending(service, offsets)._send(Reader(options), [(1, Record("t", 0, 7, None, b"{}"))])
    assert "the broker does not take t/0/7" in caplog.text
    assert "read it from Kafka by hand" in caplog.text
    assert service.counted["refused"] == 1
