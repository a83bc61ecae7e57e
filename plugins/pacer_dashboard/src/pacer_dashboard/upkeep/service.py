"""The service: it goes round its jobs, and says what goes wrong with one while it does the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pacer_core import ServiceContext, ServiceType
from pacer_dashboard.options import DashboardUpkeepOptions

Job = Callable[[ServiceContext], None]


def jobs() -> Mapping[str, Job]:
    """Give what is to be done, by what it is called when it goes wrong."""
    from pacer_dashboard.access.tidying import tidy
    from pacer_dashboard.upkeep import months

    return {"partitions": months.make, "retention": months.drop, "sessions": tidy}


def run(ctx: ServiceContext) -> None:
    """Do all jobs at once, and then whenever it is time, until told to end."""
    from pacer_dashboard.start import migrate, prepare

    options: DashboardUpkeepOptions = ctx.options
    prepare(options.place)
    if options.place.folder is not None:
        migrate()
    from django.db import connection

    while not ctx.stopping.is_set():
        trouble: list[str] = []
        for name, job in jobs().items():
            try:
                job(ctx)
            except Exception as error:  # one that fails keeps no other from being done
                ctx.log.exception("%s", name)
                trouble.append(f"{name}: {error}")
        connection.close()
        ctx.trouble("; ".join(trouble))
        ctx.ready()
        ctx.stopping.wait(options.every.total_seconds())


UPKEEP = ServiceType(
    name="dashboard-upkeep",
    options=DashboardUpkeepOptions,
    run=run,
    counts=("partitions_made", "partitions_dropped", "rows_moved", "rows_deleted"),
)
