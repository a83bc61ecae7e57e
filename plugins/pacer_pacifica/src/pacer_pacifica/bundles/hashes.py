"""Hashes as uploaders write them, and as everybody reads them."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from attrs import frozen

from pacer_pacifica.bundles.errors import ContentError

_LENGTHS = {
    "md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128,
    "sha3_224": 56, "sha3_256": 64, "sha3_384": 96, "sha3_512": 128, "blake2b": 128, "blake2s": 64,
}  # fmt: skip
"""Hexadecimal digits, by the name that `hashlib` has for an algorithm."""
_SPELT = {re.sub(r"[^a-z0-9]", "", name): name for name in _LENGTHS}
_PREFIX = re.compile(r"\{?([A-Za-z][A-Za-z0-9_ -]*)[:=}]\s*(.*)", re.DOTALL)


@frozen
class Hash:
    """A hash in its normal form: `hashlib`'s name, and lower-case digits without a prefix."""

    type: str
    digest: str

    def begun(self) -> Any:
        """Give a hash object of this kind, with nothing in it."""
        return hashlib.new(self.type, usedforsecurity=False)


def algorithm(name: str) -> str | None:
    """Give `hashlib`'s name of an algorithm: of ``SHA-1``, ``sha_1`` or ``Sha1`` it is ``sha1``."""
    return _SPELT.get(re.sub(r"[^a-z0-9]", "", name.lower()))


def read_hash(hashtype: str | None, hashsum: str | None) -> Hash:
    """Read what metadata say of a file's hash: ``sha1`` and ``DEADBEEF...``, ``SHA-1`` and ``sha1:dead...``.

    Raises
    ------
    ContentError
        Saying what is wrong, without a subject.
    """
    if not hashsum:
        raise ContentError("has no hashsum")
    prefix, digest = None, hashsum.strip()
    if match := _PREFIX.fullmatch(digest):
        prefix, digest = match[1], match[2].strip()
    named = [name for name in (hashtype, prefix) if name]
    if not named:
        raise ContentError("has no hashtype")
    known = {algorithm(name) for name in named}
    if None in known:
        raise ContentError(f"has a hashtype that is none of {', '.join(_LENGTHS)}")
    if len(known) > 1:
        raise ContentError("has one hashtype, and another before its hashsum")
    (kind,) = known
    assert kind is not None, "said above"  # noqa: S101 - of the type checker's
    digest = digest.lower()
    if len(digest) != _LENGTHS[kind] or re.fullmatch(r"[0-9a-f]+", digest) is None:
        raise ContentError(f"has a hashsum that is not the {_LENGTHS[kind]} hexadecimal digits of {kind}")
    return Hash(kind, digest)
