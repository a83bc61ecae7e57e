"""The commands ``pacer dashboard ...``."""

from pacer_dashboard.commands.group import dashboard
from pacer_dashboard.commands.importing import import_command
from pacer_dashboard.commands.serving import migrate_command, serve

for _command in (serve, migrate_command, import_command):
    dashboard.add_command(_command)

__all__ = ["dashboard"]
