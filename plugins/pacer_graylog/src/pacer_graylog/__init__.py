"""PACER's log in Graylog, as GELF 1.1."""

from pacer_graylog.handler import LOG_HANDLER, GraylogHandler
from pacer_graylog.options import GraylogOptions

__all__ = ["LOG_HANDLER", "GraylogHandler", "GraylogOptions"]
