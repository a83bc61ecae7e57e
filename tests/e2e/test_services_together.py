"""Services that publish many messages together, bury what nobody can handle, and look at a queue's length."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pacer_core import Publication, RefusedError, ServiceType
from pacer_core.testing import FakeService
from tests.lab import LIMIT, Lab, limited
from tests.support import Running, Site, eventually

PLUGIN = """
    import json
    from pathlib import Path
    from pacer_core import Publication, ServiceType, hookimpl

    HERE = Path(__file__).parent.parent

    def run(ctx):
        wanted = [
            Publication("inbox", one["body"].encode() * one.get("times", 1), {"x-number": number},
                        message_id=f"number-{number}", dead=one.get("dead", ""))
            for number, one in enumerate(json.loads((HERE / "wanted").read_text()))
        ]
        said = [str(one) if one else None for one in ctx.publish_each(wanted)]
        (HERE / "new").write_text(json.dumps({"said": said, "waiting": ctx.waiting("inbox")}))
        (HERE / "new").rename(HERE / "said")
        ctx.ready()
        ctx.stopping.wait()

    @hookimpl
    def pacer_services():
        yield ServiceType("batches", None, run, publishes=lambda _: ["inbox"])
"""
Publish = Callable[..., tuple[dict[str, Any], Running]]


@pytest.fixture
def publish(site: Site, lab: Lab) -> Publish:
    """Run a service that publishes messages together; give what it was told."""

    def publish(*wanted: dict[str, object]) -> tuple[dict[str, Any], Running]:
        site.install("batches-pacer", PLUGIN)
        (site.folder / "wanted").write_text(json.dumps(wanted))
        lab.configure(queue="name: jobs}, {name: inbox", more="services: [{type: batches}]")
        running = lab.site.start("run", "-c", lab.file)
        said = site.folder / "said"
        eventually(said.exists, 60, lambda: running.printed)
        return json.loads(said.read_text()), running

    return publish


def test_many_messages_are_confirmed_together_and_come_in_in_their_order(lab: Lab, publish: Publish) -> None:
    told, running = publish(*({"body": f"{number}"} for number in range(500)))
    assert told == {"said": [None] * 500, "waiting": 500}
    assert [bytes(one.body) for one in lab.take("inbox")] == [b"%d" % number for number in range(500)]
    assert running.end() == 0


def test_one_that_is_refused_keeps_no_other_from_being_published(lab: Lab, publish: Publish) -> None:
    with limited(lab.node):
        told, running = publish({"body": "a"}, {"body": "b", "times": 2 * LIMIT}, {"body": "c"})
        assert [one is None for one in told["said"]] == [True, False, True]
        assert sorted(bytes(one.body) for one in lab.take("inbox")) == [b"a", b"c"]
        assert running.end() == 0


def test_what_nobody_can_handle_lies_in_the_dead_queue_with_its_reason(lab: Lab, publish: Publish) -> None:
    told, running = publish({"body": "good"}, {"body": "\0bad", "dead": "its flux capacitor is cut off"})
    assert told == {"said": [None, None], "waiting": 1}
    listed = json.loads(lab.site.pacer("dead", "list", "-c", lab.file, "--json").out)
    (letter,) = listed["letters"]
    assert letter["error"] == "its flux capacitor is cut off"
    ran = lab.site.pacer("dead", "replay", "-c", lab.file, "--all", "--yes")
    assert ran.code == 0, ran.both
    eventually(lambda: lab.waiting("inbox") == 2)
    bad = next(one for one in lab.take("inbox") if bytes(one.body) == b"\0bad")
    assert bad.properties["message_id"] == "number-1"
    assert bad.properties["application_headers"]["x-number"] == 1
    assert running.end() == 0


def test_a_test_without_a_broker_sees_the_same(tmp_path: Path) -> None:
    def run(ctx: Any) -> None:
        said.extend(ctx.publish_each([Publication("a", b"1"), Publication("a", b"2", dead="no use")]))
        said.append(ctx.waiting("a"))
        ctx.stopping.wait()

    def broker(publication: Publication) -> None:
        if publication.body == b"1":
            raise RefusedError("too large")

    said: list[Any] = []
    service = FakeService(
        ServiceType("one", None, run), folder=tmp_path, broker=broker, waiting=lambda queue: len(queue)
    )
    service.run(lambda: len(said) == 3)
    assert [str(said[0]), *said[1:]] == ["too large", None, 1]
    assert [one.dead for one in service.published] == ["no use"]
