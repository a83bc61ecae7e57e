"""The commands ``pacer sandbox icat`` and ``python -m pacer_sandbox``."""

import json
import logging
import signal
from pathlib import Path

import click

from pacer_core import say


@click.group()
def sandbox() -> None:
    """Systems to try and test against, on this machine."""


@sandbox.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8080, show_default=True, help="The port to listen on; 0 takes a free one.")
@click.option("--data", type=click.Path(dir_okay=False, path_type=Path), help="A file to keep the data in.")
@click.option("--seed", help="What an empty catalogue begins with: 'demo', or a dump of icatdump.")
@click.option("--zone", default="Europe/Berlin", show_default=True, help="The server's time zone.")
@click.option(
    "--accounts", type=click.Path(exists=True, dir_okay=False), help="A YAML file of users and root users."
)
@click.option(
    "--triggers/--no-triggers",
    default=None,
    help="Whether the database keeps fileCount and fileSize, as where a site has installed ICAT's triggers.",
)
@click.option("--log", is_flag=True, help="Log each call with its time.")
@click.option("--misbehave", help='A JSON object of wishes, such as \'{"slow": [{"seconds": 0.5}]}\'.')
def icat(
    host: str,
    port: int,
    data: Path | None,
    seed: str | None,
    zone: str,
    accounts: str | None,
    triggers: bool | None,
    log: bool,
    misbehave: str | None,
) -> None:
    """Serve an ICAT 6.2 that needs no Java, until Ctrl-C. It is no production server."""
    # Imported here, so that other commands need not wait for it.
    from pacer_sandbox.sandbox import IcatSandbox

    if log:
        logging.basicConfig(format="%(asctime)s %(message)s")
        logging.getLogger("pacer_sandbox.calls").setLevel(logging.INFO)
    try:
        box = IcatSandbox(data, seed, port, zone, host=host, accounts=accounts, triggers=triggers)
    except (ValueError, KeyError, OSError) as exc:
        raise click.ClickException(str(exc)) from exc
    try:
        if misbehave:
            box.catalogue.tell(json.loads(misbehave))
    except (ValueError, KeyError, OSError) as exc:
        box.catalogue.close()
        raise click.ClickException(str(exc)) from exc
    # Not what SIGINT has: a shell starts a command behind `&` with SIGINT ignored.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with box:
            say(f"ICAT 6.2 sandbox: {box.wsdl} and {box.rest}")
            say(f"Data: {data or 'in memory'}. For trying and testing only. Ctrl-C ends it.")
            box.wait()
    except KeyboardInterrupt:
        say("Ended.")
    except OSError as exc:
        raise click.ClickException(f"cannot listen on {host}:{port}: {exc}") from exc
