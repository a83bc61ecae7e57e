"""Pacifica's uniqueid service: ranges of numbers over HTTP."""

from __future__ import annotations

from pacer_http import Away, HttpClient


class UniqueId:
    """Draws numbers from the service; it keeps to `pacer_pacifica.jobs.Ids`.

    A range that was drawn for nobody, since the answer was lost, is never given again: there are holes.
    """

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    def take(self, mode: str, count: int) -> int:
        """Give the first of so many numbers in a row.

        Raises
        ------
        Away
            Where the service is away, or answers with something else.
        """
        answer = self._http.request("GET", "/getid", params={"range": count, "mode": mode})
        found = answer.entries()
        first, last = found.get("startIndex"), found.get("endIndex")
        if not isinstance(first, int) or not isinstance(last, int) or first < 1 or last - first != count - 1:
            raise Away(f"{answer.what} was answered with no range of {count} numbers", answer)
        return first
