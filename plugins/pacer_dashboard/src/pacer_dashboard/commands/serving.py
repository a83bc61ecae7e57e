"""``pacer dashboard serve`` and ``migrate``."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import click

from pacer_dashboard.place import from_environment


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", default=8000, show_default=True, help="The port; 0 takes a free one.")
@click.option(
    "--root-path",
    default="",
    envvar="FORCE_SCRIPT_NAME",
    show_envvar=True,
    help="The path under which a reverse proxy shows the dashboard.",
)
@click.option(
    "--config",
    "-c",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    envvar="PACER_CONFIG",
    show_envvar=True,
    help="PACER's configuration: the broker that messages are sent to again, and its dead queues.",
)
def serve(host: str, port: int, root_path: str, config: Path | None) -> None:
    """Serve the dashboard.

    Without a database in the environment it makes SQLite's file in ./dashboard, and brings its tables up to
    date by itself.
    """
    import uvicorn

    from pacer_dashboard.access.configuration import refuse_without_login
    from pacer_dashboard.start import migrate, prepare

    if root_path:
        os.environ["FORCE_SCRIPT_NAME"] = root_path
    if config is not None:
        os.environ["PACER_CONFIG"] = str(config.resolve())
    refuse_without_login(host, os.environ)
    place = from_environment()
    prepare(place)
    if place.folder is not None:
        migrate()
    logging.getLogger("uvicorn.access").addFilter(_without_query)
    uvicorn.run(
        "pacer_dashboard.asgi:application",
        host=host,
        port=port,
        proxy_headers=False,  # PACER_DASHBOARD_TRUSTED_PROXIES says who is believed, also under other servers
        lifespan="off",
        timeout_graceful_shutdown=3,  # seconds; streams of live arrivals last for hours, and come back
        log_level="info",
    )


def _without_query(record: logging.LogRecord) -> bool:
    """Leave out of uvicorn's log what was asked for: people and proposals, and the code of a sign-in."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            one.partition("?")[0] if isinstance(one, str) and one.startswith("/") else one
            for one in record.args
        )
    return True


@click.command("migrate", short_help="Bring the database's tables up to date.")
def migrate_command() -> None:
    """Bring the database's tables up to date, and make PostgreSQL's partitions for months to come."""
    from pacer_dashboard.start import migrate, prepare

    prepare(from_environment())
    migrate(verbosity=1)
    from pacer_dashboard.upkeep.months import ensure

    ensure(3)
