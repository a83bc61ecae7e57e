"""Bundles that nobody should send: each is refused with a clear reason, and before anything is stored."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from pacer_pacifica.bundles.errors import TarError
from pacer_pacifica.bundles.limits import Limits
from pacer_pacifica.bundles.members import read_index
from pacer_pacifica.bundles.streams import opened
from plugins.pacer_pacifica.tests.work.support import CONTENTS, bundle, member, tar

GOOD = bundle()
A_LINK = member("data/l", kind=tarfile.SYMTYPE, linkname="/etc")


def with_member(name: str, content: bytes = b"", **more: Any) -> bytes:
    return bundle(more=[(member(name, content, **more), content)])


def raw_header(name: str, /, **fields: tuple[int, bytes]) -> bytes:
    """Give a header with some of its bytes as they are given, and a checksum that fits."""
    block = bytearray(member(name, b"x").tobuf(tarfile.USTAR_FORMAT))
    for place, value in fields.values():
        block[place : place + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block)


def with_raw(header: bytes, content: bytes = b"") -> bytes:
    return header + content + bytes(-len(content) % 512) + GOOD


def pax(*records: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    """Give an extended header with these records, whose lengths are as they are given."""
    text = b"".join(records)
    return member("pax", text, kind).tobuf(tarfile.USTAR_FORMAT) + text + bytes(-len(text) % 512)


def record(key: str, value: bytes) -> bytes:
    line = f" {key}=".encode() + value + b"\n"
    length = len(line) + 1
    while len(f"{length}".encode()) + len(line) != length:
        length += 1
    return f"{length}".encode() + line


def sparse_by_pax() -> bytes:
    return pax(record("GNU.sparse.major", b"1"), record("GNU.sparse.realsize", b"1099511627776")) + GOOD


def old_sparse() -> bytes:
    return with_raw(raw_header("data/sparse", kind=(156, b"S"), magic=(257, b"ustar  \0")))


def a_pax_bomb() -> bytes:
    info = member("pax", kind=tarfile.XHDTYPE)
    info.size = 1 << 40
    return info.tobuf(tarfile.GNU_FORMAT) + GOOD


HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "no end"),
    "random": (b"\x01\x02\x03" * 1000, "no tar archive"),
    "zeros": (bytes(10), "within a header"),
    "absolute": (with_member("/etc/cron.d/x", b"x"), "is absolute"),
    "absolute-folder": (with_member("/etc", kind=tarfile.DIRTYPE), "is absolute"),
    "climbing": (with_member("data/../../x", b"x"), "climbs out"),
    "climbing-first": (with_member("../x", b"x"), "climbs out"),
    "climbing-folder": (with_member("data/..", kind=tarfile.DIRTYPE), "climbs out"),
    "symbolic-link": (with_member("data/l", kind=tarfile.SYMTYPE, linkname="/etc"), "a symbolic link"),
    "hard-link": (with_member("data/l", kind=tarfile.LNKTYPE, linkname="metadata.txt"), "a hard link"),
    "long-link": (with_member("data/l", kind=tarfile.SYMTYPE, linkname="x" * 300), "link"),
    "link-then-file": (
        bundle(more=[(A_LINK, b""), (member("data/l/x", b"x"), b"x")]),
        "a symbolic link",
    ),
    "character-device": (with_member("data/d", kind=tarfile.CHRTYPE, devmajor=1, devminor=5), "a device"),
    "block-device": (with_member("data/d", kind=tarfile.BLKTYPE, devmajor=8), "a device"),
    "pipe": (with_member("data/p", kind=tarfile.FIFOTYPE), "a pipe"),
    "sparse": (old_sparse(), "a sparse file"),
    "sparse-by-pax": (sparse_by_pax(), "a sparse file"),
    "contiguous": (with_raw(raw_header("data/c", kind=(156, b"7"))), "a contiguous file"),
    "other-volume": (with_raw(raw_header("data/m", kind=(156, b"M"))), "another volume"),
    "unknown-kind": (with_raw(raw_header("data/z", kind=(156, b"Z"))), "of a kind that tar does not define"),
    "twice": (with_member("data/a.txt", b"other\n"), "is in the bundle twice"),
    "twice-in-disguise": (with_member("./data//a.txt", b"other\n"), "is in the bundle twice"),
    "metadata-twice": (with_member("metadata.txt", b"[]"), "'metadata.txt' is in the bundle twice"),
    "a-file-below-a-file": (with_member("data/a.txt/x", b"x"), "a file and a folder of one name"),
    "a-file-that-is-a-folder": (with_member("data/a", b"x"), "a file and a folder of one name"),
    "a-folder-that-is-a-file": (with_member("data/a.txt", kind=tarfile.DIRTYPE), "twice"),
    "a-folder-with-a-size": (
        with_raw(raw_header("data/f", kind=(156, b"5"), size=(124, b"00000000010\0"))),
        "a folder with a size",
    ),
    "a-negative-size": (with_raw(raw_header("data/n", size=(124, b"\xff" * 12))), "negative size"),
    "an-endless-size": (
        with_raw(raw_header("data/n", size=(124, b"\x80\0\0\0\x7f" + b"\xff" * 7))),
        "more than",
    ),
    "a-size-that-is-text": (
        with_raw(raw_header("data/n", size=(124, b"ten\0"))),
        "a header is not one of tar",
    ),
    "a-wrong-checksum": (GOOD[:148] + b"000000\0 " + GOOD[156:], "a header is not one of tar"),
    "not-utf8": (with_raw(raw_header("data/n", name=(0, b"data/\xff\xfe"))), "not UTF-8"),
    "a-newline-in-a-name": (with_member("data/a\nb", b"x"), "control character"),
    "an-escape-in-a-name": (with_member("data/\x1b[2J", b"x"), "control character"),
    "a-nul-in-a-name": (pax(record("path", b"data/a\0.txt")) + GOOD, "control character"),
    "a-long-name": (with_member(f"data/{'x' * 256}", b"x"), "longer than 255 bytes"),
    "a-long-path": (with_member("data/" + "/".join(["x" * 200] * 20), b"x"), "longer than 3000 bytes"),
    "deep": (with_member("data/" + "d/" * 200 + "x", b"x"), "deeper than 100"),
    "a-pax-bomb": (a_pax_bomb(), "an extended header of the bundle has 1099511627776 bytes"),
    "a-pax-header-without-end": (pax(b"99 path=x\n") + GOOD, "damaged"),
    "a-pax-header-of-nothing": (pax(b"0 path=x\n") + GOOD, "damaged"),
    "a-pax-header-of-noise": (pax(b"noise") + GOOD, "damaged"),
    "a-pax-size-of-text": (pax(record("size", b"-1")) + GOOD, "a size that is no number"),
    "a-pax-size-that-reaches-out": (pax(record("size", b"99999999")) + GOOD, "more than is accepted"),
    "a-pax-link": (pax(record("linkpath", b"/etc")) + GOOD, "a link"),
    "a-pax-path-that-climbs": (pax(record("path", b"../../x")) + GOOD, "climbs out"),
    "a-pax-name-in-another-code": (pax(record("hdrcharset", b"BINARY")) + GOOD, "not UTF-8"),
    "a-path-for-all": (
        pax(record("path", b"data/x"), kind=tarfile.XGLTYPE) + GOOD,
        "path for all its members",
    ),
    "a-size-for-all": (pax(record("size", b"0"), kind=tarfile.XGLTYPE) + GOOD, "size for all its members"),
    "headers-without-member": (pax(record("comment", b"x")) * 9 + GOOD, "more than 4 extended headers"),
    "something-behind-the-end": (GOOD + bytes(512) + b"x" * 512, "something behind its end"),
    "a-second-archive": (GOOD + GOOD, "something behind its end"),
    "half-an-end": (GOOD.rstrip(b"\0") + bytes(-len(GOOD.rstrip(b"\0")) % 512) + bytes(512), "half an end"),
    "gzip": (gzip.compress(GOOD), "compressed with gzip, which is not accepted"),
    "too-many": (tar([(member(f"data/{n}"), b"") for n in range(60)]), "more than 50 members"),
    "too-many-folders": (
        tar([(member(f"d{n}", kind=tarfile.DIRTYPE), b"") for n in range(60)]),
        "more than 50",
    ),
    "too-long-a-file": (with_member("data/large", b"x" * 70_000), "70000 bytes, more than is accepted"),
    "too-long-a-bundle": (
        tar([(member(f"data/{n}", b"x" * 60_000), b"x" * 60_000) for n in range(20)]),
        "longer than 1048576 bytes",
    ),
    "too-long-metadata": (bundle(metadata=b" " * 65_000), "'metadata.txt' in the bundle has 65000 bytes"),
}  # fmt: skip

LIMITS = {"max_members": 50, "max_size": "1MiB", "max_file_size": "64KiB", "max_metadata": "60KiB"}


def read(path: Path, **limits: Any) -> None:
    with path.open("rb") as file, opened(file, Limits(**{**LIMITS, **limits})) as source:
        read_index(source)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_bundle_is_refused_with_its_reason(name: str, tmp_path: Path) -> None:
    data, says = HOSTILE[name]
    (tmp_path / "bundle").write_bytes(data)
    with pytest.raises(TarError, match=says):
        read(tmp_path / "bundle")
    assert [one.name for one in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize("name", HOSTILE)
def test_compression_hides_nothing(name: str, tmp_path: Path) -> None:
    data, _ = HOSTILE[name]
    (tmp_path / "bundle").write_bytes(gzip.compress(data))
    with pytest.raises(TarError):
        read(tmp_path / "bundle", compressions=("gzip",))


def test_a_bundle_that_expands_too_far_is_refused_on_its_way(tmp_path: Path) -> None:
    info = member("data/bomb")
    info.size = 1 << 36
    with gzip.open(tmp_path / "bundle", "wb", 9) as file:
        file.write(info.tobuf())
        for _ in range(64):
            file.write(bytes(1 << 20))
    with pytest.raises(TarError, match="expands to more than 200 times its length"):
        read(tmp_path / "bundle", compressions=("gzip",), max_size="1TiB", max_file_size="1TiB")


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_a_bundle_cut_anywhere_is_refused(compressed: bool, tmp_path: Path) -> None:
    data = gzip.compress(GOOD) if compressed else GOOD.rstrip(b"\0")
    whole = len(data)
    places = sorted({*range(0, whole, 97), *range(0, whole, 512), whole - 1})
    for place in places:
        (tmp_path / "bundle").write_bytes(data[:place])
        with pytest.raises(TarError):
            read(tmp_path / "bundle", compressions=("gzip",))


def test_a_gzip_file_with_something_behind_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bundle").write_bytes(gzip.compress(GOOD) + b"something")
    with pytest.raises(TarError, match="no whole gzip file"):
        read(tmp_path / "bundle", compressions=("gzip",))


def test_what_is_refused_is_what_pythons_tarfile_would_have_followed() -> None:
    """The archives of this module are read by others: that is why they have to be refused."""
    for name in ("climbing", "symbolic-link", "character-device", "twice", "sparse-by-pax"):
        with tarfile.open(fileobj=io.BytesIO(HOSTILE[name][0])) as archive:
            assert len(archive.getmembers()) >= len(CONTENTS), name
