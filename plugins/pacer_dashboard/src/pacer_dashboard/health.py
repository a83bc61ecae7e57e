"""Whether the dashboard lives, and whether it can show anything: for whatever watches servers."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    """Answer, as long as this process does."""
    return JsonResponse({"status": "ok"})


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Tell whether the database answers and its tables are those of this version; 503 where not."""
    reason = _trouble()
    return JsonResponse({"ready": not reason, "reason": reason}, status=503 if reason else 200)


def _trouble() -> str:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as away:
        return f"the database does not answer ({type(away).__name__})"
    return "the database is of another version: pacer dashboard migrate" if missing else ""
