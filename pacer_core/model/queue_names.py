"""What PACER calls the queues and exchanges that it declares for itself."""

from __future__ import annotations

DEAD = ".dead"
RETRY = "pacer.retry."
KEYS = "pacer.keys."


def dead_queue(queue: str) -> str:
    """Give the name of a queue's dead queue."""
    return f"{queue}{DEAD}"


def retry_exchange(step: int) -> str:
    """Name the exchange (and queue) where copies wait; their routing key is their work queue."""
    return f"{RETRY}{step}s"


def step_of(queue: str) -> int:
    """Give the step of the ladder that has a queue of this name."""
    return int(queue.removeprefix(RETRY).removesuffix("s"))


def keys_queue(space: str) -> str:
    """Give what the names of a key space's queues begin with, where the configuration says nothing else."""
    return f"{KEYS}{space}"


def hosts_queue(prefix: str) -> str:
    """Name the queue in which is said, for a minute, which host has which partition of a key space."""
    return f"{prefix}.hosts"


def partition_queue(prefix: str, number: int) -> str:
    """Name the queue of one partition of a key space; they are numbered from 1."""
    return f"{prefix}.{number}"
