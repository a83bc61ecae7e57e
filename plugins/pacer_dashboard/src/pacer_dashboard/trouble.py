"""What is answered where a page or the API failed: that the database is away is nobody's mistake."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse

from pacer_dashboard.api import problems
from pacer_dashboard.store.away import is_away


def failed(request: HttpRequest) -> HttpResponse:
    """Answer a request that raised an exception: 503 where the database is away, and 500 otherwise."""
    error = sys.exc_info()[1]
    if request.path_info.startswith("/api/"):
        return problems.of_failure(error)
    if error is None or not is_away(error):
        said = "This is a mistake of the dashboard's: its log has the reason."
        return HttpResponse(said, status=500, content_type="text/plain; charset=utf-8")
    said = "The database does not answer: try again in a moment."
    answer = HttpResponse(said, status=503, content_type="text/plain; charset=utf-8")
    answer.headers["Retry-After"] = problems.AGAIN
    return answer
