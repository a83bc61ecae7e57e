"""The commands ``pacer dashboard ...``."""

from pacer_dashboard.commands.checks import checks, index
from pacer_dashboard.commands.demo import demo
from pacer_dashboard.commands.group import dashboard
from pacer_dashboard.commands.importing import import_command
from pacer_dashboard.commands.screenshots import screenshots
from pacer_dashboard.commands.serving import migrate_command, serve
from pacer_dashboard.commands.user import user

for _command in (serve, migrate_command, import_command, user, checks, index, demo, screenshots):
    dashboard.add_command(_command)

__all__ = ["dashboard"]
