"""Fingerprints: which failures are the same one, however they are worded this time."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b

from attrs import frozen

from pacer_dashboard.records.record import Failure

VERSION = 1
"""Of the rules below. Those of another version give other groups, so that old ones stay what they were."""
_LONGEST = 300
_RULES = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.I), "<uuid>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"), "<time>"),
    (re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "<mail>"),
    (re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>]+", re.I), "<url>"),
    (re.compile(r"(?<![\w/])(?:/[\w.@%+~-]+){2,}/?"), "<path>"),
    (re.compile(r"'[^'\n]{1,200}'|\"[^\"\n]{1,200}\""), "<text>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.I), "<hex>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b", re.I), "<hex>"),
    (re.compile(r"\b[A-Za-z]{1,6}[-_]?\d{2,}\b"), "<identifier>"),
    (re.compile(r"(?<![A-Za-z_])\d+(?:\.\d+)?"), "<number>"),
)
_SPACE = re.compile(r"\s+")


@frozen
class Fingerprint:
    """What tells a group of failures from the others."""

    key: str
    task: str
    kind: str
    title: str
    """The reason without what differs from one message to the next."""
    version: int = VERSION


@lru_cache(1024)
def fingerprint(failure: Failure) -> Fingerprint:
    """Give the group that a failure belongs to: same task, same kind, same reason but for names and numbers.

    What stands in quotes, addresses, paths, times, numbers and identifiers is left out of the reason, so that
    a failure is one group for all messages that it happens to. Paths of bad fields belong to it.
    """
    title = normalised(failure.reason)
    if failure.fields:
        title = f"{title} ({', '.join(sorted({normalised(path) for path, _ in failure.fields})[:5])})"
    title = title[:_LONGEST]
    text = "\n".join((str(VERSION), failure.task, failure.kind, title))
    return Fingerprint(blake2b(text.encode(), digest_size=16).hexdigest(), failure.task, failure.kind, title)


def normalised(reason: str) -> str:
    """Give a reason without what differs from one message to the next."""
    text = reason[: 8 * _LONGEST]
    for pattern, word in _RULES:
        text = pattern.sub(word, text)
    return _SPACE.sub(" ", text).strip()[:_LONGEST]
