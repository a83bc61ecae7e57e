"""Stand-ins for Pacifica's four services, for tests where Python 3.8 is not at hand.

Each rule says which fact it stands for, as it was seen on pacifica-uniqueid 0.5.1, -policy 0.8.3, -metadata
0.13.0 and -archiveinterface 0.4.2. They are at ``/uniqueid``, ``/policy``, ``/metadata`` and ``/archive`` of
one address; ``POST /misbehave`` makes them err, also from another process::

    with PacificaServices() as pacifica:
        pacifica.misbehave("archive", status=503, times=2)
        HttpClient("the archive", f"{pacifica.url}/archive", ...)
        assert pacifica.archive[7] == b"..."

``python -m pacer_pacifica.testing`` serves them until it is ended, and prints their address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType

from pacer_http.testing import Fault, Request, StandIn
from pacer_pacifica.testing.rules import Facility, Rules, Service

__all__ = ["Facility", "PacificaServices", "Service"]


class PacificaServices(Rules):
    """The four services at the wire, and every request to them; what they hold is in `Rules`' attributes."""

    def __init__(self) -> None:
        super().__init__()
        self._stand_in = StandIn(self.answer)

    @property
    def url(self) -> str:
        """The address that all four are below."""
        return self._stand_in.url

    @property
    def addresses(self) -> Mapping[str, str]:
        """The address of each."""
        return {name: f"{self.url}/{name}" for name in ("uniqueid", "policy", "metadata", "archive")}

    @property
    def requests(self) -> Sequence[Request]:
        """Every request, in order."""
        return self._stand_in.requests

    def fail(self, *faults: Fault, to: str = "", after: int = 0) -> None:
        """Misbehave at the wire, as `pacer_http.testing.StandIn.fail` does."""
        self._stand_in.fail(*faults, to=to, after=after)

    def behave(self) -> None:
        """Misbehave no more, nor at the wire."""
        super().behave()
        self._stand_in.behave()

    def __enter__(self) -> PacificaServices:
        """Give the services."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End them."""
        self.close()

    def close(self) -> None:
        """Cease to listen; raise what went wrong in a rule."""
        self._stand_in.close()
