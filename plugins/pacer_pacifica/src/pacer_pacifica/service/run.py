"""The service's process: HTTP in a thread of its own, the broker and the sweeper in the main one."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import uvicorn

from pacer_core import PacerError, ServiceContext
from pacer_pacifica.integration import database_of, ids_of
from pacer_pacifica.jobs import Database, DatabaseError, Job, Jobs, Outbox
from pacer_pacifica.service.app import application
from pacer_pacifica.service.making import Making
from pacer_pacifica.service.options import ServiceOptions
from pacer_pacifica.service.resumable import Resumable
from pacer_pacifica.service.sending import Sender, trouble
from pacer_pacifica.service.site import Site
from pacer_pacifica.service.spool import Room, Spool, make_spool
from pacer_pacifica.service.sweeping import Sweeper
from pacer_pacifica.service.users import Door
from pacer_pacifica.sizes import size

_LOOK = 1.0  # seconds between two looks at the outbox: retries come by other processes
_SWEEP = 60.0  # seconds between two looks at everything
_AGAIN = 5.0  # seconds before a database that is away is asked again
_GRACE = 3  # seconds that requests under way have when the service ends
_BACKLOG = 2048


def serve(ctx: ServiceContext) -> None:
    """Take uploads until PACER stops."""
    options: ServiceOptions = ctx.options
    database = _database(ctx)
    if database is None:
        return
    try:
        jobs, outbox = Jobs(database), Outbox(database)
        sender, limits = Sender(ctx, jobs, outbox), options.limits

        def made(job: Job) -> None:
            ctx.count("jobs")
            ctx.count("bytes", job.size)
            sender.wake()

        room = Room(size(limits.size) or 0, size(limits.free) or 0, limits.uploads)
        with (
            closing(Spool(Path(options.spool), room)) as spool,
            ids_of(options.unique_id_url, database) as ids,
        ):
            making, ending = Making(jobs, ids, made), threading.Event()
            resumable = Resumable(Path(options.spool), outbox, making, limits.resume)
            door = Door(options.authentication)
            site = Site(ctx, jobs, making, spool, resumable, door, sender.wake, ending.is_set)
            with _serving(ctx, site, ending) as is_serving:
                ctx.ready()
                _work(ctx, is_serving, sender, Sweeper(ctx.log, options, jobs, outbox, resumable))
    finally:
        database.close()


def _work(ctx: ServiceContext, is_serving: Callable[[], bool], sender: Sender, sweeper: Sweeper) -> None:
    """Send and sweep; one instance does it for all.

    Raises
    ------
    PacerError
        Where HTTP is not served any more.
    """
    options: ServiceOptions = ctx.options
    swept = -_SWEEP
    while not ctx.stopping.is_set():
        if not is_serving():
            raise PacerError("HTTP is not served any more: the log says why")
        if ctx.instance != 1:
            ctx.stopping.wait(_LOOK)
            continue
        try:
            sender.send()
            if time.monotonic() - swept >= _SWEEP:
                swept = time.monotonic()
                sweeper.sweep()
            full = _full(options)
        except DatabaseError as error:
            ctx.trouble(trouble(error))
            ctx.stopping.wait(_AGAIN)
            continue
        except OSError as error:
            ctx.trouble(f"the spool cannot be swept: {error}")
        else:
            ctx.trouble(full)
        sender.wait(_LOOK)


def _full(options: ServiceOptions) -> str:
    """Say that the spool's disk has no room for uploads, or ``""``."""
    free = os.statvfs(options.spool)
    if free.f_bavail * free.f_frsize >= (size(options.limits.free) or 0):
        return ""
    return f"{options.spool} has less room than limits.free: make room; uploads get 507 meanwhile"


def _database(ctx: ServiceContext) -> Database | None:
    """Open the job database, when it answers; ``None`` where PACER stops before.

    Raises
    ------
    PacerError
        Where the spool is not there, and nothing that it would be in.
    """
    options: ServiceOptions = ctx.options
    while not ctx.stopping.is_set():
        try:
            make_spool(Path(options.spool))
            return database_of(options)
        except DatabaseError as error:
            ctx.log.error("%s", error)
            ctx.trouble(trouble(error))
            ctx.stopping.wait(_AGAIN)
    return None


@contextmanager
def _serving(ctx: ServiceContext, site: Site, ending: threading.Event) -> Iterator[Callable[[], bool]]:
    """Serve HTTP in a thread, as signals are PACER's; give what says whether it does."""
    options: ServiceOptions = ctx.options
    listening = _listen(options, shared=ctx.instances > 1)
    config = uvicorn.Config(
        application(site),
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=_GRACE,
        ssl_certfile=options.tls.certificate if options.tls else None,
        ssl_keyfile=options.tls.key if options.tls else None,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        listening.close()
        raise PacerError(
            f"the certificate or its key cannot be read: {error}; correct the option 'tls'"
        ) from None
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="http", daemon=True)
    thread.start()
    scheme = "http" if options.tls is None else "https"
    ctx.log.info("listening on %s://%s:%d", scheme, options.host, options.port)
    try:
        yield thread.is_alive
    finally:
        ending.set()
        server.should_exit = True
        thread.join(_GRACE + 2)
        listening.close()


def _listen(options: ServiceOptions, *, shared: bool) -> socket.socket:
    try:
        family = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server(
            (options.host, options.port), family=family, backlog=_BACKLOG, reuse_port=shared
        )
    except OSError as error:
        raise PacerError(
            f"cannot listen on {options.host}:{options.port}: {error.strerror or error}; "
            "stop what listens there, or give another host or port"
        ) from None
