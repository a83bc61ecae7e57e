"""A courier to test against: its service on loopback, as far as the plugin asks it."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import define, field

from pacer_http.testing import Reply, Request, StandIn, Starts


@define
class CourierService:
    """What the courier holds, and who asks for it."""

    token: str = "a-token"  # noqa: S105 - of a stand-in
    held: dict[str, Any] = field(factory=dict)
    announced: list[dict[str, Any]] = field(factory=list)
    service: StandIn = field(init=False)

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return Reply({"error": "who are you?"}, 401)
        if request.path == "/announcements":
            after = int(request.query["after"])
            return Reply({"announcements": [one for one in self.announced if one["number"] > after]})
        if request.path == "/health":
            return Reply({})
        if request.method == "PUT":
            self.held[request.path] = request.json()
        return Reply(self.held[request.path]) if request.path in self.held else Reply({}, 404)

    @property
    def options(self) -> dict[str, str]:
        """What YAML says of it."""
        return {"url": self.service.url, "token": self.token}


@pytest.fixture
def courier(http_stand_in: Starts) -> CourierService:
    """Return a courier of this test's own."""
    service = CourierService()
    service.service = http_stand_in(service.answer)
    return service
