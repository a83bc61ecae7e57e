"""Getting Django ready in a process, for one database."""

from __future__ import annotations

import os
import threading

from pacer_dashboard.place import Place

_lock = threading.Lock()


def prepare(place: Place | None = None) -> None:
    """Load Django, for the database at ``place``, or else the one that the environment names.

    A process has one database at a time: another place closes this thread's connection to the one before.
    """
    import django
    from django.conf import settings

    with _lock:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pacer_dashboard.settings")
        if place is not None:
            _point(place)
        django.setup()
    if place is not None and place.folder is not None:
        place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    del settings


def prepare_to_serve() -> None:
    """Load Django for the database that the environment names, and refuse to show its pages unsafely.

    Raises
    ------
    UnsafeError
        With everything that is wrong about access, and what to do.
    """
    prepare()
    from django.conf import settings

    from pacer_dashboard.access.configuration import ready_to_serve

    ready_to_serve(settings, settings.DATABASE_FOLDER)
    from pacer_dashboard.again import host

    host.wake()  # for what a process before this one was sending when it ended


def _point(place: Place) -> None:
    from django.db import connections

    wanted = place.settings()
    databases = connections.settings
    if {**databases["default"], **wanted} == databases["default"]:
        return
    connections["default"].close()
    databases["default"] = connections.configure_settings({"default": wanted})["default"]
    del connections["default"]


def migrate(verbosity: int = 0) -> None:
    """Bring the database's tables up to date; of several processes that do so at once each waits its turn."""
    from django.core.management import call_command

    from pacer_dashboard.alone import alone

    with alone():
        call_command("migrate", interactive=False, verbosity=verbosity)
