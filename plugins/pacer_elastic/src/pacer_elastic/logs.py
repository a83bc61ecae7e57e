"""The log in Elasticsearch: records are sent in bulk by a thread of its own, and nobody waits for it."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from attrs import field, frozen

from pacer_core import LogHandlerType, QueuedHandler
from pacer_elastic.bulk import Action, send
from pacer_elastic.options import Server, valid_index
from pacer_http import HttpClient

_ID = 16
"""Bytes before a record that are its id."""


@frozen(kw_only=True)
class LogOptions(Server):
    """Where the log goes, and the account that PACER uses there.

    Attributes
    ----------
    index
        An index or a data stream.
    environment
        ``service.environment`` of every record, such as ``production``.
    """

    index: str = field(default="pacer-logs", validator=valid_index)
    environment: str | None = None
    timeout: timedelta = timedelta(seconds=10)


class ElasticHandler(QueuedHandler):
    """Sends records to an index, in bulk. Every record has an id, so that a lost answer doubles none."""

    TOGETHER, PERIOD = 500, 1.0

    def __init__(self, options: LogOptions) -> None:
        super().__init__("Elasticsearch", "pacer.elastic")
        self._options = options
        self._http = HttpClient(
            "Elasticsearch",
            options.url,
            timeout=options.timeout,
            ca_file=options.ca_file,
            delays=(),  # there is time: `BACKOFF`
            **options.credentials,
        )

    def keep(self, record: logging.LogRecord) -> bytes:
        """Give the record's id and line."""
        return uuid4().bytes + self.format(record).encode()

    def keep_number(self, dropped: int, said: str) -> bytes:
        """Give a record of how many were dropped."""
        source = {
            "@timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "log.level": "warning",
            "message": said,
            "service": {"name": "pacer"},
            "pacer": {"dropped": dropped},
        }
        return uuid4().bytes + json.dumps(source).encode()

    def send(self, kept: Sequence[bytes]) -> Sequence[str]:
        """Send records in one request."""
        return [one.reason for one in send(self._http, [self._action(one) for one in kept])]

    def leave(self) -> None:
        """Close the connections."""
        self._http.close()

    def _action(self, kept: bytes) -> Action:
        source: dict[str, Any] = json.loads(kept[_ID:])
        source["event"] = {"dataset": "pacer"}
        source["host"] = {"name": socket.gethostname()}
        if self._options.environment is not None:
            source["service"] = {**source.get("service", {}), "environment": self._options.environment}
        # "create" is what data streams take as well; with an id, a second time is a conflict, and no twin.
        return Action("create", {"_index": self._options.index, "_id": kept[:_ID].hex()}, source)


LOG_HANDLER = LogHandlerType(name="elastic", options=LogOptions, open=ElasticHandler)
"""``logging: {elastic: {...}}``."""
