"""What no database can look for is refused before a page asks one for it."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.utils.translation import gettext

Answer = Callable[[HttpRequest], HttpResponse]


class SoundText:
    """Middleware: an address or a form with the character 0 is a mistake; the API says so by itself."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request."""
        if not request.path_info.startswith("/api/") and _has_zero(request):
            said = gettext("No text has the character 0.")
            return HttpResponseBadRequest(said, content_type="text/plain; charset=utf-8")
        return self.get_response(request)


def _has_zero(request: HttpRequest) -> bool:
    if "\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
        return True
    return request.method == "POST" and any(
        "\0" in value for _, values in request.POST.lists() for value in values
    )
