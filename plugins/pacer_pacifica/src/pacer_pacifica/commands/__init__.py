"""The commands below ``pacer pacifica``."""

from pacer_pacifica.commands.group import pacifica

__all__ = ["pacifica"]
