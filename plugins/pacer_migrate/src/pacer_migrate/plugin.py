"""What the plugin registers."""

from __future__ import annotations

from collections.abc import Iterator

from pacer_core import ConfigMigration, hookimpl
from pacer_migrate.icat_pacer import migrate, recognises


@hookimpl
def pacer_config_migrations() -> Iterator[ConfigMigration]:
    """Give what reads configurations of ICAT-PACER."""
    yield ConfigMigration(name="ICAT-PACER", recognises=recognises, migrate=migrate)
