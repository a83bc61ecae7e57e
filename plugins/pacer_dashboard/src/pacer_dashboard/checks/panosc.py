"""Whether PaNOSC's scoring service has an item: it says so, says no, or does not say."""

from __future__ import annotations

from datetime import timedelta

from pacer_core import PacerError
from pacer_dashboard.checks.options import CheckOptions
from pacer_dashboard.models.checks import Finding
from pacer_http import HttpClient, segment

_TIMEOUT = timedelta(seconds=20)
_ENOUGH = 5
"""Answers without a word after which it is not asked any more in a run."""


class Scoring:
    """The scoring service; close it by ``with``."""

    def __init__(self, options: CheckOptions) -> None:
        self._http = None
        self._silent = 0
        self.trouble = ""
        if options.panosc_url:
            self._http = HttpClient(
                "the scoring service",
                options.panosc_url,
                timeout=_TIMEOUT,
                account=options.panosc_account,
                delays=(),
            )

    def finding(self, name: str, visit_id: str) -> Finding:
        """Tell whether there is an item of an investigation.

        200 says that there is, and 404 that there is none, if it is a word of the service's own: it answers
        with JSON. Everything else says nothing: a refusal of our account, a time-out, a proxy's page.
        """
        if self._http is None or self._silent >= _ENOUGH:
            return Finding.UNKNOWN
        try:
            answer = self._http.request(
                "GET", f"/items/{segment(name)}/{segment(visit_id)}", expect=(200, 404)
            )
            answer.json()
        except (PacerError, ValueError) as error:
            self._silent += 1
            self.trouble = str(error)
            return Finding.UNKNOWN
        self._silent = 0
        return Finding.PRESENT if answer.status == 200 else Finding.MISSING

    def __enter__(self) -> Scoring:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its connections."""
        if self._http is not None:
            self._http.close()
