"""The hub of the live stream: drawn once, told to all, and none misses a change."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from attrs import define, field

from pacer_dashboard.live import hub as hub_module
from pacer_dashboard.live.gate import Gate
from pacer_dashboard.live.hub import GONE, Batch, Hub


@define
class Sees:
    """Stands in for a viewer."""

    of: str = "all"

    def key(self) -> str:
        return self.of


@define
class Changes:
    """Stands in for the database: a revision for each change, as `changes.since` gives them."""

    revisions: list[int] = field(factory=list)
    asked: list[tuple[int, int]] = field(factory=list)
    seen: dict[Any, Sees] = field(factory=dict)

    def newest(self) -> int:
        return self.revisions[-1] if self.revisions else 0

    def source(self, after: int, most: int) -> tuple[Batch, bool]:
        self.asked.append((after, most))
        found = [one for one in self.revisions if one > after]
        more = len(found) > most
        upto = found[most - 1] if more else self.newest()
        data = "".join(f"{one} " for one in found[:most]).encode()
        return Batch(after, upto, data), more

    def judge(self, standings: Iterable[Any]) -> Mapping[Any, Sees]:
        return {one: self.seen.get(one, Sees()) for one in standings if one != "ended"}


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "TICK", 0.01)
    monkeypatch.setattr(hub_module, "AT_ONCE", 10)


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run in a thread of its own: a browser that is open has a loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(asyncio.wait_for(_awaited(main()), 60))).result()


async def _awaited(one: Awaitable[None]) -> None:
    await one


async def told(stream: AsyncIterator[bytes], upto: int) -> list[int]:
    """Read until a revision was told; what is told again, where a stream had just caught up, counts once."""
    found: dict[int, None] = {}
    async for data in stream:
        if data == GONE:
            found[-1] = None
            break
        if not data.startswith((b":", b"id:")):
            found |= dict.fromkeys(map(int, data.split()))
        if upto in found:
            break
    return [*found]


def test_all_streams_are_told_every_change_and_it_is_drawn_once() -> None:
    changes = Changes()
    hub = Hub(changes.newest, changes.judge, lambda: None)

    async def main() -> None:
        streams = [hub.listen("all", changes.source, 0, at, "all") for at in range(20)]
        reading = [asyncio.create_task(told(one, 95)) for one in streams]
        for revision in range(1, 96):
            changes.revisions.append(revision)
            if revision % 7 == 0:
                await asyncio.sleep(0.01)
        for one in reading:
            assert await one == [*range(1, 96)]
        for stream in streams:
            await stream.aclose()  # type: ignore[attr-defined]
        # Twenty streams: each batch was asked for once, but for what one caught up with when it came.
        assert len(changes.asked) < 60

    run(main)


def test_a_stream_goes_on_from_where_it_was_also_in_a_new_process() -> None:
    changes = Changes([*range(1, 101)])

    async def main() -> None:
        hub = Hub(changes.newest, changes.judge, lambda: None)
        assert await told(hub.listen("all", changes.source, 37, 0, "all"), 100) == [*range(38, 101)]

    run(main)


def test_a_slow_stream_holds_nobody_up_and_catches_up_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "KEPT", 50)
    changes = Changes()

    async def main() -> None:
        hub = Hub(changes.newest, changes.judge, lambda: None)
        slow, fast = (hub.listen("all", changes.source, 0, at, "all") for at in "sf")
        await anext(slow)
        reading = asyncio.create_task(told(fast, 300))
        for revision in range(1, 301):
            changes.revisions.append(revision)
            if revision % 10 == 0:
                await asyncio.sleep(0.01)
        assert await reading == [*range(1, 301)]
        assert await told(slow, 300) == [*range(1, 301)]

    run(main)


def test_who_may_not_see_it_any_more_is_told_to_go_before_anything_new_is_sent() -> None:
    changes = Changes()

    async def main() -> None:
        hub = Hub(changes.newest, changes.judge, lambda: None)
        narrowed, ended, stays = (
            hub.listen("all", changes.source, 0, at, "all") for at in ("n", "ended", "s")
        )
        for one in (narrowed, ended, stays):
            await anext(one)
        changes.seen["n"] = Sees("less")
        changes.revisions.append(1)
        assert await told(narrowed, 1) == [-1]
        assert await told(ended, 1) == [-1]
        assert await told(stays, 1) == [1]

    run(main)


def test_a_stream_that_is_too_far_behind_is_told_to_draw_its_page_anew() -> None:
    changes = Changes([1, hub_module.TOO_FAR + 10])

    async def main() -> None:
        hub = Hub(changes.newest, changes.judge, lambda: None)
        assert await told(hub.listen("all", changes.source, 1, 0, "all"), 1) == [-1]

    run(main)


def test_so_many_requests_are_worked_on_at_once_and_a_stream_does_not_count() -> None:
    working, most = 0, 0

    async def application(scope: Any, receive: Any, send: Any) -> None:
        nonlocal working, most
        await receive()
        working += 1
        most = max(most, working)
        await asyncio.sleep(0)
        working -= 1
        await send({"type": "http.response.start"})
        await streaming.wait()

    async def main() -> None:
        gate = Gate(application, 3)
        answered: list[Any] = []

        async def send(message: Any) -> None:
            answered.append(message)

        requests = [asyncio.create_task(gate({}, whole, send)) for _ in range(20)]
        while len(answered) < 20:
            await asyncio.sleep(0)
        streaming.set()
        await asyncio.gather(*requests)

    streaming = asyncio.Event()
    run(main)
    assert most == 3


async def whole() -> Any:
    """Give a request that has come with all its body."""
    return {"type": "http.request"}


def test_a_request_whose_body_does_not_come_holds_up_nobody() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start"})

    async def never() -> Any:
        await asyncio.Event().wait()

    async def main() -> None:
        gate = Gate(application, 1)
        answered: list[Any] = []

        async def send(message: Any) -> None:
            answered.append(message)

        slow = [asyncio.create_task(gate({"path": "/login"}, never, send)) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.wait_for(gate({"path": "/"}, whole, send), 20)
        assert len(answered) == 1
        for one in slow:
            one.cancel()

    run(main)


def test_whether_the_process_lives_is_said_while_all_others_wait() -> None:
    lives = ("/status", "/pacer-dashboard/status")

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if scope["path"] == "/":
            await asyncio.Event().wait()
        await send({"type": "http.response.start", "path": scope["path"]})

    async def main() -> None:
        gate = Gate(application, 1, "/pacer-dashboard")
        answered: list[Any] = []

        async def send(message: Any) -> None:
            answered.append(message["path"])

        paths = ("/", "/", "/api/v1/errors/status")  # the last one is an address as any other
        waiting = [asyncio.create_task(gate({"path": one}, whole, send)) for one in paths]
        await asyncio.sleep(0)
        for path in lives:
            await gate({"path": path}, whole, send)
        assert answered == [*lives]
        for one in waiting:
            one.cancel()

    run(main)


def test_a_compressed_stream_is_one_gzip_of_parts_that_were_made_once() -> None:
    changes = Changes([1, 2])

    async def main() -> None:
        hub = Hub(changes.newest, changes.judge, lambda: None)
        unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
        said = b""
        async for data in hub.listen("all", changes.source, 0, 0, "all", packed=True):
            said += unpack.decompress(data)
            if b"2 " in said and len(changes.revisions) == 2:
                changes.revisions.append(3)
            if b"3 " in said:
                break
        assert said == b": hello\nretry: 1000\n\n1 2 3 "

    run(main)


def test_a_database_that_fails_for_a_moment_costs_no_change_and_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    changes = Changes()
    fails = [True, True, True]

    def newest() -> int:
        if changes.revisions and fails:
            fails.pop()
            raise OSError("away")
        return changes.newest()

    async def main() -> None:
        hub = Hub(newest, changes.judge, lambda: None)
        stream = hub.listen("all", changes.source, 0, 0, "all")
        await anext(stream)
        changes.revisions += [1, 2, 3]
        assert await told(stream, 3) == [1, 2, 3]

    run(main)
    assert [one.getMessage() for one in caplog.records].count(
        "live arrivals cannot be read; the streams wait"
    ) == 1


def test_a_stream_that_is_told_nothing_says_so_also_while_others_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "HEARTBEAT", 0.2)
    changes = Changes([1])

    async def main() -> None:
        hub = Hub(changes.newest, changes.judge, lambda: None)
        stream = hub.listen(
            "none", lambda after, _: (Batch(after, changes.newest(), b""), False), 1, 0, "all"
        )
        await anext(stream)
        silent = asyncio.ensure_future(anext(stream))
        while not silent.done() and len(changes.revisions) < 3000:
            changes.revisions.append(changes.newest() + 1)
            await asyncio.sleep(0.01)
        said = await silent
        assert said.startswith(b"id: ")
        assert int(said.split()[1]) > 1  # from where it goes on after an interruption
        assert len(changes.revisions) < 3000

    run(main)


def test_a_filter_that_cannot_be_asked_keeps_no_other_stream_from_its_rows() -> None:
    changes = Changes()

    def fails(after: int, most: int) -> tuple[Batch, bool]:
        raise OSError("canceling statement due to statement timeout")

    async def main() -> None:
        hub = Hub(changes.newest, changes.judge, lambda: None)
        broken = hub.listen("broken", fails, None, 0, "all")
        await anext(broken)
        stream = hub.listen("all", changes.source, None, 1, "all")
        await anext(stream)
        changes.revisions += [1, 2]
        assert await told(stream, 2) == [1, 2]

    run(main)
