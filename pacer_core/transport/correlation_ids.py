"""Correlation ids: the one that a message has, or a new one."""

from __future__ import annotations

import os
from functools import lru_cache
from itertools import count
from typing import Any, TypeGuard
from uuid import uuid4

from pacer_core.transport.headers import SHORT_STRING


def first_id(*given: Any) -> str:
    """Give the first that can be an id; empty where none can."""
    for one in given:
        if _is_id(one):
            return one
    return ""


def fresh_id() -> str:
    """Give a UUID of our own making (RFC 9562, version 8) as text: random bits of this process, and a count.

    A random one for each message (version 4) takes four times as long, most of it in the operating system.
    """
    return f"{_process()}{next(_numbers):012x}"


_numbers = count(1)


@lru_cache(maxsize=1)
def _process() -> str:
    """Give what the ids of this process begin with; one that is forked off makes its own."""
    os.register_at_fork(after_in_child=_process.cache_clear)
    random = str(uuid4())
    return f"{random[:14]}8{random[15:24]}"


def _is_id(value: Any) -> TypeGuard[str]:
    return (
        isinstance(value, str) and value.isprintable() and bool(value.strip()) and len(value) <= SHORT_STRING
    )
