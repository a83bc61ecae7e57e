"""The integration ``courier``: the courier's service over HTTP, as far as shipments need it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from attrs import field, frozen, validators

from pacer_core import IntegrationType, Secret
from pacer_http import HttpClient, is_away, is_url, segment


@frozen
class CourierOptions:
    """The courier's service.

    Attributes
    ----------
    url
        Its address, up to what stands before ``/shipments``.
    token
        The token that the courier has given the facility.
    answer_within
        How long an answer may take.
    """

    url: str = field(validator=is_url)
    token: Secret
    answer_within: timedelta = field(default=timedelta(seconds=20), validator=validators.gt(timedelta(0)))


class Courier:
    """What ``ctx[COURIER]`` gives a task; safe to use from many threads.

    Each answer has to be a JSON object: what is in front of a service that is down may say 200 as well, with
    a page about maintenance, and has done nothing.
    """

    def __init__(self, http: HttpClient) -> None:
        """Speak by a client that whoever gives it closes."""
        self._http = http

    def shipment(self, reference: str) -> Mapping[str, Any] | None:
        """Give what the courier knows of a shipment, or ``None`` where it knows nothing.

        Raises
        ------
        pacer_http.HttpProblem
            Where it does not answer, or refuses.
        """
        answer = self._http.request("GET", f"/shipments/{segment(reference)}", expect=(200, 404))
        return None if answer.status == 404 else answer.entries()

    def put(self, reference: str, content: Mapping[str, Any]) -> None:
        """Write a shipment, over the one that is there: twice is the same as once."""
        self._http.request("PUT", f"/shipments/{segment(reference)}", json=content).entries()

    def measured(self, investigation: str, dataset: str) -> None:
        """Say that samples of an investigation have been measured; twice is the same as once."""
        self._http.request("PUT", f"/measured/{segment(investigation)}/{segment(dataset)}", json={}).entries()

    def announcements(self, after: int) -> list[Mapping[str, Any]]:
        """Give what people have announced at the courier's counter, each with its ``number``, in order."""
        found = self._http.request("GET", "/announcements", params={"after": after}).entries()
        return list(found["announcements"])

    def check(self) -> None:
        """Ask for something harmless, for ``pacer doctor`` and for a breaker that is open."""
        self._http.request("GET", "/health").entries()


@contextmanager
def open_courier(options: CourierOptions) -> Iterator[Courier]:
    """Open the client of a process; it asks nothing until a task does."""
    with HttpClient(
        "the courier",
        options.url,
        timeout=options.answer_within,
        authorization=("Bearer", options.token),
    ) as http:
        yield Courier(http)


COURIER: IntegrationType[Courier] = IntegrationType(
    name="courier", options=CourierOptions, open=open_courier, check=Courier.check, is_away=is_away
)
