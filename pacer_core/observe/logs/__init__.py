"""Logging: one line a record, the correlation id on each, and no secret in any."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pacer_core.model.secrets import HIDDEN, Clean, Secret, hide, redact, screen
from pacer_core.observe.logs.formats import Ecs, Plain, correlation_id
from pacer_core.observe.logs.syslog import Syslog
from pacer_core.observe.logs.writers import Console, SharedFile

if TYPE_CHECKING:
    from pacer_core.config.model import Logging, LogHandler

__all__ = [
    "HIDDEN",
    "Clean",
    "Secret",
    "correlation_id",
    "hide",
    "redact",
    "screen",
    "set_up",
    "set_up_run",
    "uncaught",
]

log = logging.getLogger("pacer")

_FORMATS = {"plain": Plain, "json": Ecs}


def set_up(level: str) -> None:
    """Send PACER's records of ``level`` and above, and other libraries' warnings, to standard error."""
    _install(level, [_with_format(Console(sys.stderr), "plain", level)])


def set_up_run(settings: Logging, more: Sequence[LogHandler] = ()) -> None:
    """Send records where the configuration says, with what Python itself would print past the log.

    ``more`` are the places that plugins know; they get records as JSON.

    Warnings, and exceptions that nobody has caught, become records: what they quote is searched for secrets.
    What exceptions say may be personal data as well: but for PACER's own, it is written at level ``DEBUG``
    alone.

    Raises
    ------
    PacerError
        Where the log file cannot be written, or a plugin's place not be opened.
    """
    handlers: list[logging.Handler] = []
    level = settings.log_level
    if settings.console.enabled:
        handlers.append(_with_format(Console(sys.stderr), settings.console.format, level))
    if settings.file.enabled:
        file = settings.file
        size = file.max_m_bytes * 1024 * 1024 if file.rotate else 0
        handlers.append(_with_format(SharedFile(file.path, size, file.backup_count), file.format, level))
    if settings.syslog.enabled:
        syslog = Syslog(settings.syslog.address, settings.syslog.facility)
        handlers.append(_with_format(syslog, settings.syslog.format, level))
    handlers += [_with_format(one.type.open(one.options), "json", level) for one in more]
    _install(level, handlers or [logging.NullHandler()])
    logging.captureWarnings(True)
    sys.excepthook = uncaught
    threading.excepthook = _uncaught_in_thread


def _with_format(handler: logging.Handler, name: str, level: str) -> logging.Handler:
    handler.setFormatter(_FORMATS[name](full=level == "DEBUG"))
    return handler


def _install(level: str, handlers: list[logging.Handler]) -> None:
    root = logging.getLogger()
    for old in root.handlers:
        if isinstance(old, SharedFile):
            old.close()
    root.handlers = handlers
    root.setLevel(logging.WARNING)
    log.setLevel(level)


def uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Log an exception that nobody has caught, as `sys.excepthook`."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        log.critical("nobody has caught an exception", exc_info=(kind, error, trace))


def _uncaught_in_thread(arguments: Any) -> None:
    if not issubclass(arguments.exc_type, SystemExit):
        log.critical(
            "nobody has caught an exception in thread %s",
            getattr(arguments.thread, "name", "?"),
            exc_info=(arguments.exc_type, arguments.exc_value, arguments.exc_traceback),
        )
