"""Histograms of times: counts by bins whose widths grow with the time, so that every percentile is near."""

from __future__ import annotations

import math
from collections.abc import Mapping

ERROR = 0.04
"""How far a percentile may be from the true one, as a part of it."""
_GROWTH = (1 + ERROR) / (1 - ERROR)
_LEAST, _MOST = 1e-4, 4e7  # seconds: a tenth of a millisecond, and more than a year


def bin_of(seconds: float) -> int:
    """Give the bin of a time."""
    return math.ceil(math.log(min(max(seconds, _LEAST), _MOST), _GROWTH))


def value_of(number: int) -> float:
    """Give the time in seconds that stands for a bin: none in it is further from it than `ERROR`."""
    return 2 * _GROWTH**number / (_GROWTH + 1)


def percentile(counts: Mapping[int, int], part: float) -> float | None:
    """Give the time that a part of all (0.95, say) did not exceed; ``None`` where there are none."""
    total = sum(counts.values())
    if not total:
        return None
    rank = max(math.ceil(part * total), 1)
    passed = 0
    for number in sorted(counts):
        passed += counts[number]
        if passed >= rank:
            break
    return value_of(number)
