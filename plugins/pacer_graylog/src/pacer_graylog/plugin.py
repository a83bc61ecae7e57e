"""What the plugin registers with PACER."""

from __future__ import annotations

from collections.abc import Iterable

from pacer_core import LogHandlerType, hookimpl
from pacer_graylog.handler import LOG_HANDLER


@hookimpl
def pacer_log_handlers() -> Iterable[LogHandlerType]:
    """Give the log handler ``graylog``."""
    return [LOG_HANDLER]
