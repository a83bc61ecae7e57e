"""Bundles that are taken, and what is read of them."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacer_pacifica.bundles.agreement import check_members, checked
from pacer_pacifica.bundles.errors import BundleError, ContentError, MetadataError, TarError
from pacer_pacifica.bundles.hashes import read_hash
from pacer_pacifica.bundles.limits import Limits
from pacer_pacifica.bundles.members import Index, content_of, read_index
from pacer_pacifica.bundles.metadata import read_metadata
from pacer_pacifica.bundles.names import components
from pacer_pacifica.bundles.streams import opened
from plugins.pacer_pacifica.tests.work.support import (
    CONTENTS,
    JAPANESE,
    bundle,
    file_row,
    member,
    rows,
    tar,
    zstd,
)


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def read(data: bytes, **limits: Any) -> Index:
        path = tmp_path / "bundle"
        path.write_bytes(data)
        with path.open("rb") as file, opened(file, Limits(**limits)) as source:
            return read_index(source)

    return read


@pytest.mark.parametrize("first", [True, False], ids=["metadata-first", "metadata-last"])
@pytest.mark.parametrize("format_", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_bundle_holds_what_was_put_into_it(read: Any, first: bool, format_: int, tmp_path: Path) -> None:
    data = bundle(first=first, tar_format=format_)
    index = read(data)
    metadata = read_metadata(index.metadata)
    check_members(metadata, index.files)
    assert list(index.files) == list(CONTENTS)
    with (tmp_path / "bundle").open("rb") as file:
        for declared in metadata.files:
            content = content_of(file.fileno(), index.files[declared.path])
            assert b"".join(checked(declared, content)) == CONTENTS[declared.path]


def test_unicode_names_stay_as_they_are(read: Any) -> None:
    composed, decomposed = "data/é.txt", "data/e\u0301.txt"
    contents = {composed: b"1", decomposed: b"2", f"data/{JAPANESE}": b"3"}
    assert list(read(bundle(contents)).files) == [composed, decomposed, f"data/{JAPANESE}"]


def test_names_longer_than_a_header_are_read_whatever_the_format(read: Any) -> None:
    name = "data/" + "/".join(["folder" * 9] * 8) + "/x.txt"
    for format_ in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        assert list(read(bundle({name: b"x"}, tar_format=format_)).files) == [name]


def test_the_odd_that_does_no_harm_is_taken_out_of_names(read: Any) -> None:
    members = [(member(f"./{path}", content), content) for path, content in CONTENTS.items()]
    folder = (member("./data/", kind=tarfile.DIRTYPE), b"")
    assert list(read(tar([folder, *members])).files) == list(CONTENTS)


def test_a_comment_for_all_members_is_taken(read: Any, tmp_path: Path) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", pax_headers={"comment": "of git archive"}) as archive:
        archive.addfile(member("metadata.txt", b"[]"), io.BytesIO(b"[]"))
    assert read(file.getvalue()).metadata == b"[]"


@pytest.mark.parametrize(("mode", "name"), [("w:gz", "gzip")])
def test_a_compressed_bundle_is_read_where_that_is_allowed(read: Any, mode: str, name: str) -> None:
    data = bundle(mode=mode)
    with pytest.raises(TarError, match=f"compressed with {name}, which is not accepted"):
        read(data)
    index = read(data, compressions=(name,))
    assert [one.path for one in index.files.values()] == list(CONTENTS)


def test_a_zstd_bundle_is_read_where_that_is_allowed(read: Any) -> None:
    data = zstd().compress(bundle())
    with pytest.raises(TarError, match="compressed with zstd"):
        read(data)
    assert list(read(data, compressions=("zstd",)).files) == list(CONTENTS)
    with pytest.raises(TarError, match="no whole zstd file"):
        read(data[:-20], compressions=("zstd",))


def test_a_zstd_bundle_that_expands_too_far_or_needs_too_much_memory_is_refused(read: Any) -> None:
    bomb = zstd().compress(bundle({"data/zeros": bytes(40_000_000)}))
    with pytest.raises(TarError, match="more than 200 times its length"):
        read(bomb, compressions=("zstd",))
    packing = zstd().ZstdCompressor(options={zstd().CompressionParameter.window_log: 27})
    wide = packing.compress(bundle({"data/x": os.urandom(200_000)})) + packing.flush()
    with pytest.raises(TarError, match="more than 32 MiB of memory"):
        read(wide, compressions=("zstd",))


def test_a_decompressed_bundle_has_its_content_where_the_index_says(tmp_path: Path) -> None:
    (tmp_path / "bundle").write_bytes(bundle(mode="w:gz"))
    with (
        (tmp_path / "bundle").open("rb") as file,
        (tmp_path / "plain").open("wb") as tee,
        opened(file, Limits(compressions=("gzip",))) as source,
    ):
        index = read_index(source, tee)
    with (tmp_path / "plain").open("rb") as plain:
        for path, content in CONTENTS.items():
            assert b"".join(content_of(plain.fileno(), index.files[path])) == content


def test_a_large_member_is_never_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    with gzip.open(path, "wb", 1) as file:
        for part in tar([(member("data/large", b"x" * 512), b"x" * 512)])[:512], b"x" * 512:
            file.write(part)
    info = member("data/large")
    info.size = 256 * 1024**2
    block = bytes(range(256)) * 4096
    with gzip.open(path, "wb", 1) as file:
        file.write(info.tobuf())
        for _ in range(256):
            file.write(block)
        file.write(bytes(1024))
    tracemalloc.start()
    with path.open("rb") as raw, opened(raw, Limits(compressions=("gzip",), max_ratio=1000)) as source:
        assert read_index(source).files["data/large"].size == info.size
    assert tracemalloc.get_traced_memory()[1] < 16 * 1024**2
    tracemalloc.stop()


# --- metadata ------------------------------------------------------------------------------------------


def test_the_path_of_a_file_follows_pacificas_rule() -> None:
    for subdir, name, path in (
        ("data", "x", "data/x"),
        ("data/a/b", "x", "data/a/b/x"),
        ("data//a/b", "x", "data/a/b/x"),
        ("", "x", "data/x"),
        ("a", "x", "data/a/x"),
        ("data/data", "x", "data/data/x"),
        ("", "a/x", "data/a/x"),
        ("./a/./", "x", "data/a/x"),
    ):
        row = file_row("data/x", b"", subdir=subdir, name=name)
        (file,) = read_metadata(json.dumps([*rows({}), row]).encode()).files
        assert file.path == path, subdir


def test_what_is_sent_on_has_numbers_and_hashes_in_their_normal_form() -> None:
    text = json.dumps(rows({"data/a/x.txt": b"x"}, hashtype="SHA-1", hashsum=None)).replace(
        '"SHA-1"', '"SHA-1", "hashsum": "sha1:11F6AD8EC52A2984ABAAFD7C3B516503785C2072"'
    )
    metadata = read_metadata(text.encode())
    *_, file, last = metadata.with_ids(7, 100)
    assert (file["_id"], file["subdir"], file["name"]) == (100, "a", "x.txt")
    assert (file["hashtype"], file["hashsum"]) == ("sha1", "11f6ad8ec52a2984abaafd7c3b516503785c2072")
    assert last == {"destinationTable": "Transactions._id", "value": 7}


@pytest.mark.parametrize(
    ("hashtype", "hashsum"),
    [
        ("sha1", "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"),
        ("SHA-1", "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        (None, "SHA1=da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("sha_1", " da39a3ee5e6b4b0d3255bfef95601890afd80709\n"),
        ("", "{SHA}da39a3ee5e6b4b0d3255bfef95601890afd80709".replace("SHA", "sha-1")),
    ],
)
def test_hashes_are_read_in_every_spelling(hashtype: str | None, hashsum: str) -> None:
    found = read_hash(hashtype, hashsum)
    assert (found.type, found.digest) == ("sha1", "da39a3ee5e6b4b0d3255bfef95601890afd80709")


@pytest.mark.parametrize(
    ("hashtype", "hashsum", "says"),
    [
        ("sha1", "deadbeef", "40 hexadecimal digits"),
        ("crc32", "deadbeef", "none of md5"),
        ("sha1", "sha256:" + "0" * 40, "another before"),
        (None, "0" * 40, "no hashtype"),
        ("sha1", None, "no hashsum"),
        ("sha1", "z" * 40, "hexadecimal"),
        ("md5", "\u0660" * 32, "hexadecimal"),
    ],
)
def test_hashes_that_are_none_are_refused(hashtype: str | None, hashsum: str | None, says: str) -> None:
    with pytest.raises(ContentError, match=says):
        read_hash(hashtype, hashsum)


BAD_METADATA: dict[str, tuple[Any, str]] = {
    "none": (b"", "no JSON"),
    "not-json": (b"{not json", "no JSON"),
    "not-utf8": (b"[\xff\xfe]", "not UTF-8"),
    "an-object": (b'{"a": 1}', "no JSON array"),
    "no-table": (b'[{"a": 1}]', "no object with a destinationTable"),
    "a-number": (b"[1]", "no object"),
    "deep": (b"[" * 200_000, "nested too deeply"),
    "deep-row": (b'[{"destinationTable": "x", "a": ' + b"[" * 90 + b"]" * 90 + b"}]", "nested too deeply"),
    "not-a-number": (b'[{"destinationTable": "x", "a": NaN}]', "NaN is no number"),
    "endless-number": (b"[" + b"1" * 5000 + b"]", "no JSON that is accepted"),
    "no-files": (rows({}), "declares no file"),
    "no-project": (rows(terms={"submitter": 10, "instrument": 54}), "Transactions.project is missing"),
    "two-projects": ([*rows(), {"destinationTable": "Transactions.project", "value": "b"}], "given twice"),
    "an-empty-project": (rows(terms={"submitter": 10, "project": " ", "instrument": 5}), "no value"),
    "declared-twice": ([*rows(), file_row("data/a.txt", b"first\n")], "declared twice"),
    "declared-twice-in-disguise": ([*rows(), file_row(".//a.txt", b"first\n")], "declared twice"),
    "climbing": ([*rows(), file_row("data/../../x", b"")], "climbs out"),
    "climbing-name": ([*rows(), file_row("data/x", b"", name="../../etc/passwd")], "climbs out"),
    "absolute": ([*rows(), file_row("/etc/passwd", b"")], "is absolute"),
    "absolute-name": ([*rows(), file_row("data/x", b"", name="/etc/passwd")], "is absolute"),
    "nul": ([*rows(), file_row("data/x\0y", b"")], "control character"),
    "newline": ([*rows(), file_row("data/x\ny", b"")], "control character"),
    "half-a-character": ([*rows(), file_row("data/\ud800", b"")], "half a character"),
    "half-a-character-in-a-value": (rows(key_values={"title": "\udc00"}), "half a character"),
    "a-file-and-a-folder": (
        [*rows(), file_row("data/x", b""), file_row("data/x/y", b"")], "a file and a folder of one name",
    ),
    "a-folder-and-a-file": (
        [*rows(), file_row("data/x/y/z", b""), file_row("data/x", b"")], "a file and a folder of one name",
    ),
    "no-name": ([*rows(), file_row("data/x", b"", name="")], "has no name"),
    "only-data": ([*rows(), file_row("data/x", b"", subdir="", name="data")], "no name but 'data'"),
    "a-negative-size": ([*rows(), file_row("data/x", b"", size=-1)], "no number of bytes"),
    "an-endless-size": ([*rows(), file_row("data/x", b"", size=2**63)], "no number of bytes"),
    "a-truth-as-size": ([*rows(), file_row("data/x", b"", size=True)], "no number of bytes"),
    "a-list-as-name": ([*rows(), file_row("data/x", b"", name=["x"])], "no text"),
    "a-key-without-value": ([*rows(), {"destinationTable": "TransactionKeyValue", "value": {}}], "no key"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_METADATA)
def test_metadata_that_cannot_be_accepted_say_why(name: str) -> None:
    given, says = BAD_METADATA[name]
    text = given if isinstance(given, bytes) else json.dumps(given).encode()
    with pytest.raises(MetadataError, match=says):
        read_metadata(text)


def test_a_bundle_without_metadata_is_refused() -> None:
    with pytest.raises(MetadataError, match=r"no metadata\.txt"):
        read_metadata(None)


# --- declared and present ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contents", "said", "says"),
    [
        ({}, rows({"data/x": b"x"}), "'data/x' is declared, and not in the bundle"),
        ({"data/x": b"x", "data/y": b"y"}, rows({"data/x": b"x"}), "'data/y' is in the bundle, and not"),
        ({"data/x": b"x", "y": b"y"}, rows({"data/x": b"x"}), "'y' is in the bundle, and not declared"),
        ({"data/x": b"xx"}, rows({"data/x": b"x"}), "has 2 bytes in the bundle, and 1 are declared"),
    ],
)
def test_declared_and_present_have_to_agree(
    read: Any, contents: dict[str, bytes], said: Any, says: str
) -> None:
    index = read(bundle(contents, said))
    with pytest.raises(ContentError, match=says):
        check_members(read_metadata(index.metadata), index.files)


def test_another_content_of_the_same_size_is_found_by_its_hash(read: Any, tmp_path: Path) -> None:
    index = read(bundle({"data/x": b"x"}, rows({"data/x": b"y"})))
    (declared,) = read_metadata(index.metadata).files
    with (tmp_path / "bundle").open("rb") as file, pytest.raises(ContentError, match="has the sha1"):
        list(checked(declared, content_of(file.fileno(), index.files["data/x"])))


# --- whatever else somebody thinks of ------------------------------------------------------------------


@given(st.text(max_size=60))
@settings(max_examples=300)
def test_a_name_is_either_refused_or_stays_below_where_it_is_put(name: str) -> None:
    try:
        parts = components(name)
    except ValueError:
        return
    assert not name.startswith("/")
    assert all(part not in ("", ".", "..") and "/" not in part and "\0" not in part for part in parts)
    root = Path("/archive/jobs/1")
    assert root == (place := root.joinpath(*parts)) or root in place.parents


@given(
    st.lists(st.sampled_from(["..", ".", "", "a", "data", "\0", "é", "/", "x" * 256, "\ud800"]), max_size=8)
)
def test_components_that_climb_never_pass(parts: list[str]) -> None:
    try:
        found = components("/".join(parts))
    except ValueError:
        return
    assert ".." not in found


@given(
    st.binary(min_size=1, max_size=4),
    st.integers(0, 2047),
    st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
@settings(max_examples=400, deadline=None)
def test_a_damaged_header_is_refused_or_changes_nothing_outside_the_rules(
    tmp_path_factory: pytest.TempPathFactory, change: bytes, at: int, format_: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged"
    data = bytearray(bundle({"data/a/b.txt": b"x" * 600}, tar_format=format_))
    data[at : at + len(change)] = change
    path.write_bytes(data)
    with path.open("rb") as file:
        try:
            with opened(file, Limits()) as source:
                index = read_index(source)
            metadata = read_metadata(index.metadata)
            check_members(metadata, index.files)
        except BundleError as error:
            assert str(error)  # noqa: PT017 - either is well
            return
    for found in index.files.values():
        assert 0 <= found.offset <= found.offset + found.size <= len(data)
        assert components(found.path) == found.path.split("/")


@given(st.binary(max_size=3000))
@settings(max_examples=200, deadline=None)
def test_random_bytes_are_no_bundle(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "random"
    path.write_bytes(data)
    with path.open("rb") as file, pytest.raises(TarError), opened(file, Limits()) as source:
        read_index(source)


def test_folders_that_names_imply_are_counted(read: Any) -> None:
    data = tar([(member(f"data/{number}/{'/'.join('abcdefgh')}", b"x"), b"x") for number in range(20)])
    with pytest.raises(TarError, match="more than 100 files and folders"):
        read(data, max_members=100)
    assert len(read(data, max_members=200).files) == 20
