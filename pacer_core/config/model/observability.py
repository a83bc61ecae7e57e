"""How PACER is seen at work: ``logging:``, ``health:`` and ``tracing:`` of the file."""

from __future__ import annotations

from typing import Any, Literal

from attrs import field, frozen

from pacer_core.config.sections import AnyPort, Positive

_FIVE, _HUNDRED = map(Positive, (5, 100))
_PORT = AnyPort(9807)


@frozen
class LogConsole:
    """What goes to standard error.

    Attributes
    ----------
    enabled
        Whether anything does.
    format
        ``plain`` is for people; ``json`` is one object a line, in the Elastic Common Schema.
    """

    enabled: bool = True
    format: Literal["plain", "json"] = "plain"


@frozen
class LogFile:
    """What goes to a file, to which all processes write.

    Attributes
    ----------
    enabled
        Whether anything does.
    path
        The file, as seen from where PACER runs; on a local disk.
    format
        As for the console.
    rotate
        Whether PACER rotates the file; with ``false`` that is left to others, such as logrotate.
    max_m_bytes
        After so many MiB it is rotated to ``PATH.1``.
    backup_count
        How many old files are kept.
    """

    enabled: bool = False
    path: str = "logs/pacer.log"
    format: Literal["plain", "json"] = "plain"
    rotate: bool = True
    max_m_bytes: Positive = _HUNDRED
    backup_count: Positive = _FIVE


_FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"),
    *(f"local{number}" for number in range(8)),
)


def _is_facility(_: Any, __: Any, name: str) -> None:
    if name not in _FACILITIES:
        raise ValueError(f"should be one of {', '.join(_FACILITIES)}")


def _is_address(_: Any, __: Any, address: str) -> None:
    host, _, port = address.rpartition(":")
    if not address.startswith("/") and not (host and port.isdigit() and 0 < int(port) < 65_536):
        raise ValueError("should be a socket such as /dev/log, or HOST:PORT for datagrams")


@frozen
class LogSyslog:
    """What goes to syslog.

    Attributes
    ----------
    enabled
        Whether anything does.
    address
        The socket of this machine's, or ``HOST:PORT`` of another one that takes datagrams.
    facility
        By which syslog sorts what it gets: ``daemon``, ``user``, ``local0`` to ``local7`` and others.
    format
        As for the console; syslog adds a time of its own.
    """

    enabled: bool = False
    address: str = field(default="/dev/log", validator=_is_address)
    facility: str = field(default="daemon", validator=_is_facility)
    format: Literal["plain", "json"] = "plain"


@frozen
class Logging:
    """What is logged, and where it goes.

    Attributes
    ----------
    log_level
        PACER's own records of this level and above; of other libraries, warnings and above.
    console
        Standard error.
    file
        A file.
    syslog
        The system's log.
    """

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    console: LogConsole = field(factory=LogConsole)
    file: LogFile = field(factory=LogFile)
    syslog: LogSyslog = field(factory=LogSyslog)


@frozen
class Health:
    """How PACER is seen from outside, over HTTP: ``/livez``, ``/readyz``, ``/metrics`` and ``/status``.

    Attributes
    ----------
    enabled
        Whether it answers at all.
    host
        The address that it answers at; by default for this machine alone. There are no passwords.
    port
        With 0, one that is free; the log says which.
    """

    enabled: bool = True
    host: str = "127.0.0.1"
    port: AnyPort = _PORT


@frozen
class Tracing:
    """Spans of OpenTelemetry, for which ``pacer-core[otel]`` has to be installed.

    Attributes
    ----------
    enabled
        Whether there are any. Where they go is told by OpenTelemetry's own environment variables, such as
        ``OTEL_EXPORTER_OTLP_ENDPOINT``.
    """

    enabled: bool = False
