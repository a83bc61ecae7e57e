"""Asks PACERs how they are, and remembers since when one does not answer."""

from __future__ import annotations

import os
import re
import socket
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen

from pacer_core import PacerError
from pacer_dashboard.models import Watched
from pacer_http import HttpClient, is_url

PACERS = "PACER_DASHBOARD_PACERS"
"""The variable: addresses of health endpoints, separated by spaces or commas."""
EACH = "dns+"
"""Before an address: its name stands for several PACERs, as a headless Service's for its pods."""
FRESH = timedelta(seconds=4)
"""For how long an answer is shown without asking anew: many may look at one time."""
_TIMEOUT = timedelta(seconds=4)
_LONGEST = 500
_CREDENTIALS = re.compile("//[^/]*@")


@frozen
class Queue:
    """A queue as PACER sees it; ``None`` where the broker does not tell."""

    name: str
    ready: int | None
    dead: int | None
    in_hand: int | None


@frozen
class Seen:
    """A PACER: what it said last, and since when it does not answer, if so."""

    url: str
    answers: bool
    since: datetime | None
    why: str
    answered_at: datetime | None
    said: Mapping[str, Any]

    @property
    def queues(self) -> tuple[Queue, ...]:
        """Its queues, by name."""
        return tuple(Queue(**one) for one in self.said.get("queues", ()))

    @property
    def dead(self) -> int:
        """How many messages are dead."""
        return sum(one.dead or 0 for one in self.queues)


def addresses(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Give the health endpoints that are to be watched, each once; those behind a name as they are now."""
    given = environment.get(PACERS, "").replace(",", " ").split()
    found = (url for one in given for url in _behind(_CREDENTIALS.sub("//***@", one.rstrip("/"))))
    return tuple(dict.fromkeys(one[:_LONGEST] for one in found))


def _behind(address: str) -> Sequence[str]:
    """Give the addresses of all hosts behind a name; the name's own where they cannot be found out."""
    if not address.startswith(EACH):
        return [address]
    address = address.removeprefix(EACH)
    try:
        parts = urlsplit(address)
        there = socket.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        return [address]  # which says by itself that nobody answers there, and since when
    family = there[0][0]  # of a host with addresses of two kinds one is enough
    hosts = sorted({str(at[0]) for kind, _, _, _, at in there if kind == family})
    port = "" if parts.port is None else f":{parts.port}"
    return [
        parts._replace(netloc=f"[{one}]{port}" if ":" in one else f"{one}{port}").geturl() for one in hosts
    ]


def look(urls: Sequence[str] | None = None, now: datetime | None = None) -> list[Seen]:
    """Give how each PACER is, in the order of the setting; asked now, unless somebody has just done so."""
    urls = addresses() if urls is None else urls
    now = now or datetime.now(UTC)
    there = {one.url: one for one in Watched.objects.filter(url__in=urls)}
    stale = [
        url
        for url in urls
        if url not in there or (asked := there[url].asked_at) is None or now - asked >= FRESH
    ]
    if stale:
        with ThreadPoolExecutor(max_workers=min(len(stale), 16)) as pool:
            for url, answer in zip(stale, pool.map(ask, stale), strict=True):
                there[url] = _remember(url, answer, now)
    return [_seen(there[url]) for url in urls]


def ask(url: str) -> Mapping[str, Any] | str:
    """Ask a health endpoint; give what it says, or why it does not."""
    try:
        is_url(None, None, url)
    except ValueError as error:
        return f"{PACERS} should have addresses such as http://ingest-1:9807, and this one {error}"
    try:
        with HttpClient("PACER", url, timeout=_TIMEOUT, delays=()) as http:
            ready = http.request("GET", "/readyz", expect=(200, 503)).entries()
            status = http.request("GET", "/status").entries()
            text = http.request("GET", "/metrics", headers={"Accept": "text/plain"}).body.decode()
            return {**_status(ready, status), **_metrics(text)}
    except (PacerError, ValueError, KeyError, TypeError, AttributeError) as error:
        return str(error) or type(error).__name__


def _status(ready: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
    workers = status["workers"]
    return {
        "ready": ready.get("ready") is True,
        "reasons": [str(one) for one in ready.get("reasons", ())],
        "advice": [str(one) for one in ready.get("advice", ())],
        "version": str(status.get("version", "")),
        "config": str(status.get("config", "")),
        "pid": status.get("pid"),
        "workers": [
            {
                key: one.get(key)
                for key in (
                    "name", "kind", "state", "trouble", "starts", "crashes", "in_hand", "consumers",
                    "open_breakers", "published",
                )
            }
            for one in workers
        ],
        "breakers": sorted({str(name) for one in workers for name in one.get("open_breakers", ())}),
        "held": _held(workers),
    }  # fmt: skip


def _held(workers: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    held: dict[str, int] = defaultdict(int)
    for one in workers:
        for queue, number in (one.get("queues") or {}).items():
            held[str(queue)] += int(number)
    return dict(held)


def _metrics(text: str) -> dict[str, Any]:
    from prometheus_client.parser import text_string_to_metric_families

    ready: dict[str, int] = {}
    dead: dict[str, int] = {}
    waiting: dict[str, int] = {}
    up = False
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "pacer_queue_messages_ready":
                ready[sample.labels["queue"]] = int(sample.value)
            elif sample.name == "pacer_queue_messages_dead":
                dead[sample.labels["queue"]] = int(sample.value)
            elif sample.name == "pacer_retry_messages_waiting" and sample.value:
                waiting[sample.labels["seconds"]] = int(sample.value)
            elif sample.name == "pacer_broker_up":
                up = bool(sample.value)
    return {"broker_up": up, "ready_by_queue": ready, "dead_by_queue": dead, "retries": waiting}


def _remember(url: str, answer: Mapping[str, Any] | str, now: datetime) -> Watched:
    row, _ = Watched.objects.get_or_create(url=url)
    row.asked_at = now
    if isinstance(answer, str):
        row.silent_since, row.why = row.silent_since or now, answer
    else:
        names = sorted({*answer["ready_by_queue"], *answer["dead_by_queue"], *answer["held"]})
        queues = [
            {
                "name": name,
                "ready": answer["ready_by_queue"].get(name),
                "dead": answer["dead_by_queue"].get(name),
                "in_hand": answer["held"].get(name),
            }
            for name in names
        ]
        row.silent_since, row.why, row.answered_at = None, "", now
        row.said = {**answer, "queues": queues}
    row.save()
    return row


def _seen(row: Watched) -> Seen:
    return Seen(row.url, row.silent_since is None, row.silent_since, row.why, row.answered_at, row.said)
