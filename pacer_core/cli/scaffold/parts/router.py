"""A router of messages to other brokers, as it is begun."""

from __future__ import annotations

from pacer_core.cli.scaffold.parts.part import Part

ROUTER = Part(
    "router",
    '''"""Picks the brokers that a message is forwarded to, by what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pacer_core import Envelope, Route

PRIVATE = "x-private"
"""The header by which a publisher says that a message stays here."""


def stay_private(message: Any, envelope: Envelope, routes: Sequence[Route]) -> Sequence[Route] | None:
    """Give no route to a private message, and have no opinion about others."""
    return () if envelope.headers.get(PRIVATE) else None
''',
    (
        "from collections.abc import Sequence",
        "from typing import Any",
        "from pacer_core import Envelope, Route",
        "from $package.router import stay_private",
    ),
    "route: stay_private",
    '''"""Messages that stay here."""

from __future__ import annotations

from $package.router import PRIVATE, stay_private
from pacer_core import Envelope, Route


def test_a_private_message_takes_no_route_and_others_are_left_to_the_rules() -> None:
    private = Envelope(b"", queue="q", correlation_id="1", headers={PRIVATE: True})
    routes = [Route("there", "user-office")]
    assert stay_private(None, private, routes) == ()
    assert stay_private(None, Envelope(b"", queue="q", correlation_id="2"), routes) is None
''',
    "which messages go to other brokers",
)
