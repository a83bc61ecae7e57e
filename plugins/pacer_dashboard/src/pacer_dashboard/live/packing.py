"""Gzip of a stream whose parts are compressed once for all who are sent them.

A part is compressed by itself, ends at a whole byte (``Z_FULL_FLUSH``: RFC 1951, 3.2.4) and refers to nothing
before it: parts of different streams can follow each other in any order behind one header (RFC 1952, 2.3).
"""

from __future__ import annotations

import zlib

HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""What a gzip stream begins with: deflate, no name, no time, no system."""
_LEVEL = 3  # rows are much alike: more effort gains little


def pack(data: bytes) -> bytes:
    """Compress a part."""
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflate.compress(data) + deflate.flush(zlib.Z_FULL_FLUSH)
