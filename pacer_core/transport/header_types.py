"""PACER's own headers, by their names without the prefix: on which copies each is, what it holds and means.

Whoever writes headers writes a `CopyHeaders`, so that a type checker finds what is not in it. The page of the
reference is made of it.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, TypedDict


class On(Enum):
    """Which copies have a header; the page of the reference has a table for each."""

    EVERY = "On every copy"
    WAITING = "On copies that wait"
    DEAD = "On dead copies too"


CopyHeaders = TypedDict(
    "CopyHeaders",
    {
        "version": Annotated[int, On.EVERY, "The version of this format: 1"],
        "correlation-id": Annotated[
            str,
            On.EVERY,
            "One id from the first sight of the message on: the publisher's `correlation_id`, else its "
            "`message_id`, else one of PACER's making",
        ],
        "consumer": Annotated[str, On.EVERY, "The consumer, by its name in the configuration"],
        "queue": Annotated[
            str,
            On.EVERY,
            "The queue that it was read from; in a partition, the one that its intake has read",
        ],
        "exchange": Annotated[str, On.EVERY, "The exchange that it was first published to"],
        "routing-key": Annotated[str, On.EVERY, "Its first routing key"],
        "first-seen": Annotated[str, On.EVERY, "When PACER first saw it; ISO 8601 with an offset"],
        "waited": Annotated[
            int,
            On.EVERY,
            "For how many seconds its copies have waited for what is still to come (`NotYet`); only where "
            "they have",
        ],
        "attempt": Annotated[int, On.EVERY, "How many times it has been handled"],
        "retries": Annotated[
            int,
            On.EVERY,
            "How many of these counted as failures; waiting (`NotYet`, a system that is away) does not count",
        ],
        "done": Annotated[list[str], On.EVERY, "The tasks that are done; they do not run again"],
        "rejected": Annotated[
            dict[str, str],
            On.EVERY,
            "The tasks that rejected it, each with its reason; they do not run again",
        ],
        "facts": Annotated[str, On.EVERY, "What tasks left in `ctx.facts`, as JSON"],
        "signature": Annotated[
            str,
            On.EVERY,
            "HMAC-SHA256 in Base64 over the other headers of ours but `x-pacer-original`, over the body, the "
            "`message_id` and the queue that the copy goes back to",
        ],
        "restarts": Annotated[
            int,
            On.EVERY,
            "How often what a copy said was not believed, and the message begun anew; only where that was so",
        ],
        "renewed": Annotated[
            bool,
            On.EVERY,
            "`true` on a copy that took its message's place before the broker would have dropped it for its "
            "returns; it counts as returned once",
        ],
        "partition": Annotated[
            str,
            On.EVERY,
            "The queue of the partition that it is in, or goes back to; only of key spaces with "
            "[partitions](../how-to/grow.md)",
        ],
        "key": Annotated[
            str,
            On.EVERY,
            "There, its key, as the intake has found it, or a digest of one that is long; empty where it has "
            "none",
        ],
        "path": Annotated[list[str], On.EVERY, "The brokers that it has been at; only where there are any"],
        "original": Annotated[
            dict[str, Any],
            On.EVERY,
            "What stood in the message and would harm a copy, under its own name: `expiration`, `user_id`, "
            "`CC`, `BCC`, `x-death`, `x-first-death-...` and `x-last-death-...`; only where there is any",
        ],
        "dropped": Annotated[
            list[str],
            On.EVERY,
            "The publisher's own headers that had to be left out, the longest first, since RabbitMQ takes no "
            "more than 128 KiB of headers; only where there are any",
        ],
        "waits-for": Annotated[
            str,
            On.WAITING,
            "What it waits for, or why it failed, in one line; each task's reason after its name",
        ],
        "waits-since": Annotated[str, On.WAITING, "When this copy was put there; ISO 8601 with an offset"],
        "pending": Annotated[list[str], On.WAITING, On.DEAD, "The tasks that have still to be done"],
        "about": Annotated[
            dict[str, str],
            On.WAITING,
            On.DEAD,
            "What the consumer type says the message is about: a proposal, a dataset, a user. It may be "
            "personal data",
        ],
        "error": Annotated[
            str,
            On.DEAD,
            "Why it is dead, in one line; each task's reason after its name. `parse` stands for the body "
            "itself",
        ],
        "fields": Annotated[
            list[str],
            On.DEAD,
            "The first twenty bad fields of the message, as `path: what is wrong`; never with the value",
        ],
        "field-count": Annotated[int, On.DEAD, "How many bad fields there are"],
        "dead-at": Annotated[str, On.DEAD, "When it was moved to the dead queue; ISO 8601 with an offset"],
        "failures": Annotated[
            list[dict[str, str]],
            On.DEAD,
            "The failures of the last attempt, five at most: `task`, `kind` (see "
            "[errors](errors.md#of-a-message)), `reason`, and for `error` the end of its traceback, without "
            "the text of exceptions, in `trace`",
        ],
    },
    total=False,
)
"""What PACER writes into a copy; `pacer_core.transport.header_size` has the limits."""
