"""What was read of small bundles a moment ago: the tasks of one message read the same one after another."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """The last few things of their kind; threads share it.

    ``is_small`` says of a thing whether it may be held.
    """

    def __init__(self, most: int, is_small: Callable[[T], bool]) -> None:
        self._most, self._is_small = most, is_small
        self._lock = Lock()
        self._held: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Give what is held under a key, or what ``make`` gives; two threads may both make it."""
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
                return found
        made = make()
        if self._is_small(made):
            with self._lock:
                self._held[key] = made
                while len(self._held) > self._most:
                    self._held.popitem(last=False)
        return made
