"""How many requests a process works on at once: each has a thread, and a connection to the database.

After a restart all browsers come back together, and PostgreSQL has a hundred connections. A request is let in
once all of it has come, so that one whose body never does holds up nobody, and when another one has begun to
answer; a stream has then let go of its connection, and counts no more.
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

    def __init__(self, application: Application, most: int = MOST, root: str = "") -> None:
        """Take the application, how many requests it is given at once, and the path that it is below."""
        self._application = application
        self._free = asyncio.Semaphore(most)
        self._always = {ALWAYS, root + ALWAYS}  # as a proxy leaves the path, with or without its beginning

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope.get("path") in self._always:
            await self._application(scope, receive, send)
            return
        inside = False

        async def received() -> Message:
            nonlocal inside
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                await self._free.acquire()
                inside = True
            return message

        def leave() -> None:
            nonlocal inside
            if inside:
                inside = False
                self._free.release()

        async def sent(message: Message) -> None:
            leave()
            await send(message)

        try:
            await self._application(scope, received, sent)
        finally:
            leave()
