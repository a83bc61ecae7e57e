"""The core's own plugin: reads JSON and XML, and forwards by rules; asked after every other plugin."""

from pacer_core.parsing.forwarding import pacer_consumers, pacer_route_message
from pacer_core.parsing.plugin import pacer_parse_message

__all__ = ["pacer_consumers", "pacer_parse_message", "pacer_route_message"]
