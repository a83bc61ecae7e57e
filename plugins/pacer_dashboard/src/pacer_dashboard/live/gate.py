"""How many requests a process works on at once: each has a thread, and a connection to the database.

After a restart all browsers come back together, and PostgreSQL has a hundred connections. A request is let in
when another one has begun to answer; a stream has then let go of its connection, and counts no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

MOST = 32
"""Requests of one process."""
ALWAYS = "/status"
"""Whether this process lives is said at once, also while all others wait for a database that is away."""


class Gate:
    """An ASGI application that lets some requests at once into another one; the others wait their turn."""

    def __init__(self, application: Application, most: int = MOST) -> None:
        """Take the application, and how many requests it is given at once."""
        self._application = application
        self._free = asyncio.Semaphore(most)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request."""
        if str(scope.get("path", "")).endswith(ALWAYS):
            await self._application(scope, receive, send)
            return
        inside = True
        await self._free.acquire()

        def leave() -> None:
            nonlocal inside
            if inside:
                inside = False
                self._free.release()

        async def sent(message: Message) -> None:
            leave()
            await send(message)

        try:
            await self._application(scope, receive, sent)
        finally:
            leave()
