"""The log in Graylog: records are sent by a thread of their own, and nobody waits for it."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Sequence

from pacer_core import LogHandlerType, QueuedHandler, Reject
from pacer_graylog.gelf import message
from pacer_graylog.options import GraylogOptions
from pacer_graylog.ways import way_to


class GraylogHandler(QueuedHandler):
    """Sends records as GELF, one by one. Over UDP nobody tells whether Graylog is there."""

    def __init__(self, options: GraylogOptions) -> None:
        super().__init__("Graylog", "pacer.graylog")
        self._way = way_to(options)
        self._host = socket.gethostname()
        self._more = {
            "facility": options.facility,
            "service_environment": options.environment,
        }

    def keep(self, record: logging.LogRecord) -> bytes:
        """Give the record as GELF."""
        fields = json.loads(self.format(record))
        return message(fields, created=record.created, host=self._host, more=self._more)

    def keep_number(self, dropped: int, said: str) -> bytes:
        """Give a record of how many were dropped."""
        fields = {"message": said, "log.level": "warning", "pacer": {"dropped": dropped}}
        return message(fields, created=time.time(), host=self._host, more=self._more)

    def send(self, kept: Sequence[bytes]) -> Sequence[str]:
        """Send records."""
        refused = []
        for payload in kept:
            try:
                self._way.send(payload)
            except Reject as error:  # this record and no other: it must not hold up those behind it
                refused.append(str(error))
        return refused

    def leave(self) -> None:
        """Close the connection."""
        self._way.close()


LOG_HANDLER = LogHandlerType(name="graylog", options=GraylogOptions, open=GraylogHandler)
"""``logging: {graylog: {...}}``."""
