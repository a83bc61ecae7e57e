"""Reading a request's body, with limits on its time, and refusing one in a way that its sender notices."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from pacer_pacifica.service.options import Limits
from pacer_pacifica.service.refusals import Refused

_LINGER = 3.0  # seconds for which a body that is refused is read on, so that its sender sees why


async def receive(request: Request, limits: Limits, write: Callable[[bytes], Awaitable[None]]) -> None:
    """Hand a request's body on, part by part.

    Raises
    ------
    Refused
        408 where it takes too long, or nothing comes.
    ClientDisconnect
        Where it breaks off.
    """
    loop, idle = asyncio.get_running_loop(), limits.idle.total_seconds()
    try:
        async with asyncio.timeout(limits.time.total_seconds()), asyncio.timeout(idle) as pause:
            async for chunk in request.stream():
                if chunk:
                    pause.reschedule(None)  # a slow disk is no fault of the sender's
                    await write(chunk)
                    pause.reschedule(loop.time() + idle)
        request.state.body_is_read = True
    except TimeoutError:
        raise Refused(408, "nothing has come for too long, or all of it takes too long: try again") from None


def announced(request: Request) -> int | None:
    """Give the length that a request announces; ``None`` for a body that comes in chunks.

    Raises
    ------
    Refused
        411 where there is no body, 415 where it is compressed or a form.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "send the bundle as it is, without Content-Encoding")
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        raise Refused(415, "send the bundle itself as the body of the request, not in a form")
    length = request.headers.get("content-length")
    if length is None and "transfer-encoding" not in request.headers:
        raise Refused(411, "say with Content-Length how long the bundle is")
    return None if length is None else int(length)


class Refusal(Response):
    """An answer that is given early: it reads on for a moment what its sender is still sending.

    Without that, the connection is reset before the sender has read why.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Be the response, as ASGI has it."""
        if scope.get("state", {}).get("body_is_read"):
            await super().__call__(scope, receive, send)
            return

        async def keep_open(message: Message) -> None:
            await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

        self.headers["Connection"] = "close"
        await super().__call__(scope, receive, keep_open)
        try:
            async with asyncio.timeout(_LINGER):
                while (await receive()).get("more_body", False):
                    pass
        except TimeoutError:
            pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})
