"""Messages of the European Spallation Source's file-writer, by its own library.

FlatBuffers, whose schemas are those of https://github.com/ess-dmsc/streaming-data-types. The library is
imported with the first message: it brings NumPy.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pacer_kafka.decoders import KafkaDecoder


class _Whole(bytes):
    """Bytes of which no slice goes beyond the end.

    FlatBuffers' reader cuts texts out by slices, and a value that ends too early would give a shorter name of
    a file in silence.
    """

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice) and (key.stop or 0) > len(self):
            raise ValueError("it ends before its last field does")
        return super().__getitem__(key)


@contextmanager
def _whole() -> Iterator[None]:
    """Say of bytes that are no such message what is wrong with them."""
    try:
        yield
    except UnicodeDecodeError:
        raise ValueError("a text in it is not UTF-8") from None
    except (struct.error, TypeError, AttributeError, OverflowError, MemoryError):
        raise ValueError("it is cut off or damaged") from None


def _finished(value: bytes) -> Mapping[str, Any]:
    from streaming_data_types.finished_writing_wrdn import deserialise_wrdn

    with _whole():
        fields: dict[str, Any] = deserialise_wrdn(_Whole(value))._asdict()
    return fields


def _failed(fields: Mapping[str, Any]) -> str:
    if not fields["error_encountered"]:
        return ""
    said = fields["message"]
    return "the file-writer has met an error" + (f": {said}" if said else "")


def _started(value: bytes) -> Mapping[str, Any]:
    from streaming_data_types.run_start_pl72 import deserialise_pl72

    with _whole():
        fields: dict[str, Any] = deserialise_pl72(_Whole(value))._asdict()
    if (mapped := fields["detector_spectrum_map"]) is not None:
        fields["detector_spectrum_map"] = mapped._asdict()
    return fields


WRDN = KafkaDecoder("wrdn", "nexus-files", _finished, _failed)
"""A file is written: its ``file_name``, ``job_id``, ``service_id``, ``metadata``, ``message`` and more."""
PL72 = KafkaDecoder("pl72", "scicat-samples", _started)
"""A run starts: its ``job_id``, ``filename``, ``instrument_name``, ``nexus_structure`` and more."""
