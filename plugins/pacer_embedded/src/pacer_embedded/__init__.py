"""The embedded broker: queues in an SQLite file, or in memory, with what PACER needs of RabbitMQ.

``pacer+sqlite:///FILE`` serves several processes of one machine: acknowledged messages are gone, those of a
killed process come back within a fraction of a second, and nobody polls. ``pacer+memory://NAME`` is the same
code on SQLite's memory, so that what tests see there holds for the file, and nearly all of it for RabbitMQ
(`pacer_contract` says what all three agree on).

`FILE` and `MEMORY` are the two as PACER's transports; `register` makes kombu know the URLs without PACER.
"""

from __future__ import annotations

from pacer_embedded.kinds import FILE, IN_MEMORY, MEMORY
from pacer_embedded.options import FileOptions, MemoryOptions
from pacer_embedded.urls import capabilities, forget, register

__all__ = [
    "FILE",
    "IN_MEMORY",
    "MEMORY",
    "FileOptions",
    "MemoryOptions",
    "capabilities",
    "forget",
    "register",
]
