"""Bodies that a publisher has compressed, and labels that say nothing or much about a body."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import zlib
from typing import Any

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st
from kombu.compression import compress

from pacer_core import ConsumerType, Context, Delivery, Envelope, Outcome, Text, task
from pacer_core.parsing.plugin import pacer_parse_message
from pacer_core.pipeline.compression import LARGEST
from pacer_core.pipeline.processing import Pipeline


@frozen
class Probe:
    name: Text


@task
def see(message: Any, ctx: Context) -> None:
    """Be there."""


PROBES = ConsumerType(name="probes", message=Probe, tasks=[see])
JSON = '{"name": "Größe"}'.encode()
XML = "<probe><name>Größe</name></probe>".encode()


def deliver(body: bytes, headers: dict[str, Any] | None = None, **properties: Any) -> Delivery:
    """Send a body with the labels that its publisher writes."""
    pipeline = Pipeline(
        consumer="probes",
        type=PROBES,
        parse_message=lambda envelope, consumer: pacer_parse_message(envelope, consumer),
        tasks=(see,),
    )
    envelope = Envelope(body=body, queue="probes", headers=headers or {}, properties=properties)
    delivery = pipeline.handle(envelope)
    assert delivery.envelope is envelope
    return delivery


def read(body: bytes, headers: dict[str, Any] | None = None, **properties: Any) -> str:
    """Give the name that is in a body."""
    delivery = deliver(body, headers, **properties)
    assert delivery.outcome is Outcome.ACKED, delivery.error
    return str(delivery.message.name)


def reason(body: bytes, headers: dict[str, Any] | None = None, **properties: Any) -> str:
    """Give why a body is dead."""
    delivery = deliver(body, headers, **properties)
    assert delivery.outcome is Outcome.DEAD
    return delivery.failures[0].reason


@pytest.mark.parametrize("body", [JSON, XML], ids=["JSON", "XML"])
@pytest.mark.parametrize(
    "label",
    [
        *(None, "", "application/data", "application/octet-stream", "binary/octet-stream", "text/plain"),
        *("APPLICATION/DATA; charset=binary", "application/data; x=y", "raw", "binary"),
    ],
)
def test_a_content_type_that_says_nothing_leaves_it_to_the_first_byte(body: bytes, label: str | None) -> None:
    assert read(body, content_type=label) == "Größe"
    assert read(body, content_type=label, content_encoding="binary") == "Größe"


@pytest.mark.parametrize("name", ["gzip", "zlib", "bzip2", "bzip", "lzma", "xz"])
@pytest.mark.parametrize("body", [JSON, XML], ids=["JSON", "XML"])
def test_what_kombu_has_compressed_is_read(name: str, body: bytes) -> None:
    packed, label = compress(body, name)
    for content_type in ("application/data", None):
        headers = {"compression": label}
        assert read(packed, headers, content_type=content_type, content_encoding="utf-8") == "Größe"
    assert read(packed, {"compression": name}, content_type=None) == "Größe"


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("x-gzip", gzip.compress),
        ("application/gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body, wbits=-15)),
        ("zlib", zlib.compress),
        ("gzip", zlib.compress),
        ("bzip2", bz2.compress),
        ("xz", lzma.compress),
        ("lzma", lambda body: lzma.compress(body, lzma.FORMAT_ALONE)),
        ("gzip", lambda body: gzip.compress(body[:5]) + gzip.compress(body[5:]) + bytes(7)),
        ("gzip, bzip2", lambda body: bz2.compress(gzip.compress(body))),
        ("identity", bytes),
        ("utf-8", bytes),
    ],
)
def test_a_content_encoding_is_read(encoding: str, pack: Any) -> None:
    assert read(pack(JSON), content_type="application/json", content_encoding=encoding) == "Größe"
    assert read(pack(XML), content_type="text/xml; charset=utf-8", content_encoding=encoding) == "Größe"


def test_what_is_said_to_be_compressed_and_is_not_is_read_as_it_is() -> None:
    for label in ("gzip", "br", "snappy", "zstd"):
        assert read(JSON, content_encoding=label) == "Größe"
    assert read(JSON, {"compression": "lossless"}) == "Größe"
    assert read(JSON, {"compression": 7}) == "Größe"


@pytest.mark.parametrize(
    ("label", "name"),
    [("br", "brotli"), ("application/x-brotli", "brotli"), ("lz4", "LZ4"), ("snappy", "Snappy")],
)
def test_a_compression_that_is_not_read_is_named(label: str, name: str) -> None:
    body = b"\x1b\x0f\0\xf8%\xc2\xa2"
    for said in (
        reason(body, {"compression": label}, content_type="application/json"),
        reason(body, content_encoding=label),
        reason(body, content_encoding=label, content_type="application/xml"),
    ):
        assert f"it is compressed by {name}, which is not supported: PACER reads gzip" in said


def test_zstd_is_read_where_its_library_is_there_and_else_named_with_what_installs_it() -> None:
    try:
        packed, label = compress(JSON, "zstd")
    except KeyError:
        said = reason(b"\x28\xb5\x2f\xfd" + JSON, content_encoding="zstd", content_type="application/json")
        assert said == "the body is zstd, for which a library is missing: pip install 'pacer-core[zstd]'"
    else:
        assert read(packed, {"compression": label}, content_type="application/data") == "Größe"
        assert read(packed, content_encoding="zstd") == "Größe"


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, bz2.compress, lzma.compress])
def test_a_body_that_is_cut_off_or_damaged_is_dead_and_says_so(pack: Any) -> None:
    packed = pack(JSON)
    assert "cut off" in reason(packed[:-3], content_encoding="gzip")
    assert "damaged" in reason(packed + b"c4n4ry", content_encoding="gzip")
    middle = len(packed) // 2
    assert reason(packed[:middle] + b"c4n4ry" + packed[middle + 6 :], content_encoding="gzip")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_a_bomb_is_dead_and_never_unpacked_whole(pack: Any) -> None:
    packed = b"".join([pack(bytes(LARGEST // 8))] * 9)
    assert len(packed) < 1024 * 1024 * 8
    said = reason(packed, content_type="application/json", content_encoding="gzip")
    assert "of more than 128 MiB once decompressed, which is not read" in said


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_body_of_very_many_parts_is_dead_before_they_are_read(pack: Any) -> None:
    many = pack(b"") * 10_001
    assert "of more than 10,000 parts, which is not read" in reason(many, content_encoding="gzip")
    assert read(pack(b"") * 200 + bytes(70_000) + pack(JSON), content_encoding="gzip") == "Größe"


def test_a_body_of_many_parts_is_not_copied_for_each() -> None:
    """Minutes, where what a part leaves over is copied for every part."""
    large = gzip.compress(
        b'{"name": "Gr\xc3\xb6\xc3\x9fe", "other": "' + os.urandom(16_000_000).hex().encode() + b'"}'
    )
    assert read(gzip.compress(b"") * 9000 + large, content_encoding="gzip") == "Größe"


def test_a_body_that_is_compressed_very_often_is_dead_before_it_is_unpacked() -> None:
    packed = JSON
    for _ in range(5):
        packed = gzip.compress(packed)
    assert "more than 4 times over" in reason(packed, content_encoding="gzip,gzip,gzip,gzip,gzip")
    assert "more than 4 times over" in reason(
        packed, {"compression": "gzip"}, content_encoding="gzip,gzip,gzip,gzip"
    )
    assert read(gzip.decompress(packed), content_encoding="gzip,gzip,gzip,gzip") == "Größe"


@given(
    st.sampled_from([b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\0", b"\x5d\0\0", b"\x78\x9c"]), st.binary(max_size=64)
)
def test_no_rubbish_behind_a_magic_number_is_more_than_dead(magic: bytes, rest: bytes) -> None:
    assert reason(magic + rest, content_encoding="gzip")


def test_a_compressed_body_that_nobody_has_labelled_says_what_it_looks_like() -> None:
    said = reason(gzip.compress(JSON), content_type="application/json")
    assert said.startswith("the body is not JSON: line 1, column 1; it begins like gzip")


def test_a_parser_of_a_plugin_sees_the_body_as_its_publisher_had_it() -> None:
    seen: list[Envelope] = []
    pipeline = Pipeline(
        consumer="probes", type=PROBES, parse_message=lambda one, _: seen.append(one), tasks=(see,)
    )
    envelope = Envelope(
        body=gzip.compress(JSON), queue="probes", headers={"a": 1}, properties={"content_encoding": "gzip"}
    )
    delivery = pipeline.handle(envelope)
    assert seen == [evolve(envelope, body=JSON, properties={})]
    assert delivery.envelope is envelope


@pytest.mark.parametrize(
    ("content_type", "codec"),
    [
        ("application/json; charset=ISO-8859-1", "latin-1"),
        ('application/json;charset="utf-16"', "utf-16"),
        ("application/json; charset=utf-16le; q=1", "utf-16-le"),
        ("application/json; Charset='windows-1252'", "cp1252"),
        ("application/json; charset=UTF-8", "utf-8"),
        ("application/vnd.x+json; charset=utf-32", "utf-32"),
        ("text/plain; charset=latin1", "latin-1"),
    ],
)
def test_the_charset_of_json_counts(content_type: str, codec: str) -> None:
    assert read(JSON.decode().encode(codec), content_type=content_type) == "Größe"


@pytest.mark.parametrize("codec", ["latin-1", "utf-16", "utf-8", "ISO-8859-15"])
def test_the_charset_that_kombu_writes_as_content_encoding_counts_for_json(codec: str) -> None:
    body = JSON.decode().encode(codec)
    assert read(body, content_type="application/json", content_encoding=codec) == "Größe"


@pytest.mark.parametrize(
    ("content_type", "declared", "codec"),
    [
        ("text/xml; charset=ISO-8859-1", "", "latin-1"),
        ("text/xml; charset=iso-8859-1", "utf-8", "latin-1"),
        ("application/xml; charset=utf-8", "iso-8859-1", "utf-8"),
        ("text/xml; charset=utf-16", "", "utf-16"),
        ("text/xml; charset=utf-8", "utf-16", "utf-16"),  # its byte order mark knows better
        ("text/xml", "iso-8859-1", "latin-1"),
        ("application/data", "iso-8859-1", "latin-1"),
    ],
)
def test_the_charset_of_xml_outweighs_what_it_declares(content_type: str, declared: str, codec: str) -> None:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    assert read((declaration + XML.decode()).encode(codec), content_type=content_type) == "Größe"


def test_random_bytes_are_dead_and_no_error() -> None:
    for size in (1, 10, 1000):
        assert deliver(os.urandom(size), {"compression": "application/x-gzip"}).failures[0].kind == "reject"
