"""The service's type: what the core knows of it before it runs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pacer_core import Seen, ServiceContext, ServiceType
from pacer_pacifica.integration import database_of, is_there
from pacer_pacifica.jobs import DatabaseError
from pacer_pacifica.service.options import ServiceOptions
from pacer_pacifica.sizes import size


def run(ctx: ServiceContext) -> None:
    """Take uploads until PACER stops."""
    from pacer_pacifica.service.run import serve

    serve(ctx)


def check(options: ServiceOptions) -> Iterable[Seen]:
    """Look whether the spool can be written and the jobs read; nothing is made to find out."""
    spool = Path(options.spool)
    if not spool.exists() and spool.parent.is_dir():
        yield Seen(f"{spool} is not there, and will be made: is it the right path?")
        return
    if not spool.is_dir():
        yield Seen(f"{spool} is not there", "make the folder, mount it, or correct its path")
        return
    if not os.access(spool, os.R_OK | os.W_OK | os.X_OK):
        yield Seen(f"{spool} cannot be written", "let the account that PACER runs as read and write there")
        return
    free, wanted = os.statvfs(spool), size(options.limits.free) or 0
    room = free.f_bavail * free.f_frsize
    if room < wanted:
        yield Seen(f"{spool} has {room:,} bytes of room, less than limits.free", "make room on its disk")
    else:
        yield Seen(f"{spool} can be written, and has {room:,} bytes of room")
    if not is_there(options):
        yield Seen("the job database will be made")
        return
    try:
        database = database_of(options)
    except DatabaseError as error:
        yield Seen(str(error), "start it, or correct database and databasePassword")
    else:
        database.close()
        yield Seen(f"the jobs are in {database.address}")


def _publishes(options: ServiceOptions) -> Iterable[str]:
    return [options.bundles, *([] if options.moves is None else [options.moves])]


SERVICE = ServiceType(
    name="pacifica",
    options=ServiceOptions,
    run=run,
    check=check,
    publishes=_publishes,
    counts=("jobs", "bytes", "refused", "broken"),
)
