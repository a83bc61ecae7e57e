"""The service: it goes round its jobs, and says what goes wrong with one while it does the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from pacer_core import ServiceContext, ServiceType
from pacer_dashboard.options import DashboardUpkeepOptions

Job = Callable[[ServiceContext], None]
_MINUTE = 60.0


def jobs() -> Mapping[str, Job]:
    """Give what is to be done, by what it is called when it goes wrong."""
    from pacer_dashboard.access.tidying import tidy
    from pacer_dashboard.again import forgetting
    from pacer_dashboard.upkeep import hours, months

    return {
        "partitions": months.make,
        "retention": months.drop,
        "hours": hours.drop,
        "sessions": tidy,
        "edited payloads": forgetting.tick,
    }


def watches() -> Mapping[str, Job]:
    """Give what is looked at every minute."""
    from pacer_dashboard.alerts import watch
    from pacer_dashboard.checks import schedule

    return {"alerts": watch.tick, "investigation checks": schedule.tick}


def run(ctx: ServiceContext) -> None:
    """Do all jobs at once, and then whenever it is time, until told to end."""
    from pacer_dashboard.start import migrate, prepare

    options: DashboardUpkeepOptions = ctx.options
    prepare(options.place)
    if options.place.folder is not None:
        migrate()
    from django.db import connection

    due, trouble = 0.0, ""
    while not ctx.stopping.is_set():
        if time.monotonic() >= due:
            due = time.monotonic() + options.every.total_seconds()
            trouble = _do(ctx, jobs())
        ctx.trouble("; ".join(one for one in (trouble, _do(ctx, watches())) if one))
        connection.close()
        ctx.ready()
        ctx.stopping.wait(max(0.0, min(due - time.monotonic(), _MINUTE)))


def _do(ctx: ServiceContext, some: Mapping[str, Job]) -> str:
    """Do some jobs, and say what went wrong; one that fails keeps no other from being done."""
    from django.db import connection

    trouble: list[str] = []
    for name, job in some.items():
        connection.close_if_unusable_or_obsolete()  # one that broke under the job before serves no other
        try:
            job(ctx)
        except Exception as error:
            ctx.log.exception("%s", name)
            trouble.append(f"{name}: {error}")
    return "; ".join(trouble)


UPKEEP = ServiceType(
    name="dashboard-upkeep",
    options=DashboardUpkeepOptions,
    run=run,
    counts=("partitions_made", "partitions_dropped", "rows_moved", "rows_deleted"),
)
