"""What a role hides cannot be told from what is not there: by hand, way by way, and by hypothesis.

The strongest test has two databases: one with the messages of everybody, and one with only those that
somebody may see. Whatever is asked, both give the same answer; so what is hidden changes nothing that can be
observed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

import pytest
from asgiref.sync import sync_to_async
from attrs import frozen
from django.contrib.auth.models import User
from django.db import connections
from django.test import AsyncClient, Client, override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacer_dashboard import store, testing
from pacer_dashboard.access.tokens import make_token
from pacer_dashboard.models import InvestigationCheck
from pacer_dashboard.models.access import Role, RoleRule
from pacer_dashboard.models.tokens import Token
from pacer_dashboard.pages.export import WithdrawnError
from pacer_dashboard.place import Place
from pacer_dashboard.query import listing
from pacer_dashboard.query.filters import Filter
from pacer_dashboard.query.rows import Row
from pacer_dashboard.query.viewer import EVERYTHING
from pacer_dashboard.records import read
from pacer_dashboard.start import prepare
from tests.at_length import long

RULE = {"types": ["dataset-ingestion"], "identifiers": {"instrument": ["BL01", "BL04"]}}
API = "/api/v1"

pytestmark = pytest.mark.usefixtures("testserver")


@frozen
class Lab:
    """A database in which somebody sees some messages, and those that others see."""

    client: Client
    seen: Mapping[str, Row]
    hidden: Mapping[str, Row]

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"{API}{path}", query)

    def post(self, path: str, **body: Any) -> Any:
        return self.client.post(f"{API}{path}", body, content_type="application/json")


def is_seen(row: Row) -> bool:
    """Tell by hand what RULE gives."""
    return row.type == "dataset-ingestion" and row.identifiers.get("instrument") in ("BL01", "BL04")


def viewer_client(rule: Mapping[str, Any] = RULE, **rights: bool) -> Client:
    role = Role.objects.create(name="some")
    RoleRule.objects.create(role=role, **rule, **rights)
    user = User.objects.create_user("ada")
    user.dashboard_roles.add(role)
    _, text = make_token(user, role, "test", timedelta(days=1))
    return Client(headers={"Authorization": f"Bearer {text}"})


def all_rows() -> dict[str, Row]:
    return {row.correlation_id: row for row in listing.walk(EVERYTHING, Filter())}


@pytest.fixture
def lab(stored: Place, testserver: None) -> Lab:
    rows = all_rows()
    seen = next(row for row in rows.values() if is_seen(row) and row.failed)
    hidden = next(row for row in rows.values() if row.instrument == "BL09" and row.failed)
    store.store([sent_again(seen, "hidden-again", "BL09"), sent_again(hidden, "seen-again", "BL01")])
    rows = all_rows()
    return Lab(
        viewer_client(),
        {key: row for key, row in rows.items() if is_seen(row)},
        {key: row for key, row in rows.items() if not is_seen(row)},
    )


def sent_again(row: Row, correlation_id: str, instrument: str) -> Any:
    """Give a record of a message that was sent again from one, and is of an instrument."""
    at = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    made = {
        "format": "pacer.delivery/1", "id": f"record-{correlation_id}", "correlation_id": correlation_id,
        "type": "dataset-ingestion", "consumer": "datasets", "queue": "q", "exchange": "e",
        "routing_key": "k", "outcome": "acked", "attempt": 1, "redelivered": False,
        "first_seen": at, "started": at, "finished": at, "timings": {"store": 0.1},
        "identifiers": {"instrument": instrument, "dataset": f"of-{correlation_id}"},
        "done": ["store"], "pending": [], "rejected": {}, "failures": [], "follow_ups": [],
        "payload": '{"word": "unspeakable"}', "payload_size": 23, "content_type": "application/json",
        "origin": row.correlation_id,
    }  # fmt: skip
    return read(json.dumps(made).encode())


def words_of(rows: Mapping[str, Row]) -> set[str]:
    """Give what only these messages have: ids, datasets and people."""
    return (
        {*rows}
        | {row.dataset for row in rows.values() if row.dataset}
        | {row.identifiers["user"] for row in rows.values() if "user" in row.identifiers}
    )


def says_nothing_of(lab: Lab, text: str) -> None:
    """Look for words of hidden messages, but for ids that a message which is seen names as its origin."""
    known = words_of(lab.seen) | {row.origin for row in lab.seen.values()}
    assert not sorted(word for word in words_of(lab.hidden) - known if word in text)


# --- the eight ways, one by one ------------------------------------------------------------------------


def test_the_list_has_what_is_seen_and_nothing_else(lab: Lab) -> None:
    found: list[str] = []
    after: dict[str, str] = {}
    while True:
        answer = lab.get("/messages", size=7, **after)
        says_nothing_of(lab, answer.content.decode())
        found += [row["correlation_id"] for row in answer.json()["rows"]]
        if answer.json()["older"] is None:
            break
        after = {"after": answer.json()["older"]}
    assert sorted(found) == sorted(lab.seen)
    assert lab.get("/messages/estimate").json() == {"number": len(lab.seen), "exact": True}


def test_a_page_of_a_hidden_message_is_that_of_a_message_that_is_not_there(lab: Lab) -> None:
    for hidden in [*lab.hidden][:20]:
        for path, more in (("/message", {}), ("/payload", {"sight": "x"})):
            answers = [lab.get(path, id=one, **more) for one in (hidden, "not-there")]
            assert [one.status_code for one in answers] == [404, 404]
            assert answers[0].json()["detail"].replace(hidden, "") == answers[1].json()["detail"].replace(
                "not-there", ""
            )


def test_relatives_are_shown_as_far_as_they_are_seen(lab: Lab) -> None:
    """W11: upstream's related view asks nobody who they are."""
    origin = next(one for one in lab.seen.values() if one.correlation_id != "seen-again" and one.failed)
    of_hidden = lab.get("/message", id="seen-again")
    assert of_hidden.status_code == 200
    assert of_hidden.json()["origin"] is None
    for one in (origin.correlation_id, "seen-again"):
        body = lab.get("/message", id=one).json()
        assert "hidden-again" not in [again["correlation_id"] for again in body["again"]]


def test_a_search_for_what_only_hidden_messages_have_finds_nothing(lab: Lab) -> None:
    """W12: upstream's filter tells by its answer whether a hidden identifier is there."""
    nothing = lab.get("/messages", q="surely-nowhere").json()
    hidden = next(row for row in lab.hidden.values() if row.dataset)
    for query in (
        {"q": hidden.dataset}, {"q": "unspeakable"}, {"q": hidden.correlation_id},
        {"dataset": hidden.dataset},
        {"id": f"dataset={hidden.dataset}"}, {"instrument": "BL09"}, {"type": "user-sync"},
    ):  # fmt: skip
        assert lab.get("/messages", **query).json() == nothing, query


def test_payloads_are_neither_shown_nor_searched_without_the_right(lab: Lab) -> None:
    seen = next(iter(lab.seen))
    sights = lab.get("/message", id=seen).json()["sights"]
    assert [one["digest"] for one in sights] == [""] * len(sights)
    assert lab.get("/payload", id=seen, sight=sights[0]["id"]).status_code == 404
    both = {"a": sights[0]["id"], "b": sights[-1]["id"]}
    assert lab.get("/difference", id=seen, **both).status_code == 404
    assert lab.get("/messages", q="unspeakable").json()["rows"] == []
    RoleRule.objects.update(personal=True)
    found = lab.get("/messages", q="unspeakable").json()["rows"]
    assert [row["correlation_id"] for row in found] == ["seen-again"]
    sight = lab.get("/message", id="seen-again").json()["sights"][0]
    answer = lab.get("/payload", id="seen-again", sight=sight["id"])
    assert answer.content == b'{"word": "unspeakable"}'
    assert answer["Content-Disposition"].startswith("attachment")


def test_statistics_count_what_is_seen(lab: Lab) -> None:
    span = {"since": "2026-01-01", "until": "2027-01-01"}
    for by in ("type", "instrument", "consumer", "task"):
        answer = lab.get("/statistics", by=by, **span)
        says_nothing_of(lab, answer.content.decode())
    lines = lab.get("/statistics", by="type", **span).json()["lines"]
    assert lines["dataset-ingestion"]["messages"] == len(lab.seen)
    assert set(lab.get("/statistics", by="instrument", **span).json()["lines"]) <= {"BL01", "BL04"}
    whole = lab.get("/statistics/series", step="month", **span).json()["lines"][""]
    assert sum(point["numbers"]["messages"] for point in whole) == len(lab.seen)


def test_errors_count_what_is_seen(lab: Lab) -> None:
    answer = lab.get("/errors", size=200)
    says_nothing_of(lab, answer.content.decode())
    groups = answer.json()["groups"]
    failed = [row for row in lab.seen.values() if row.group is not None]
    assert sum(group["count"] for group in groups) == len(failed)
    others = {row.group for row in lab.hidden.values()} - {row.group for row in lab.seen.values()} - {None}
    for group in [*others, 10**6]:
        for path in (f"/errors/{group}", f"/errors/{group}/touched"):
            assert lab.get(path).status_code == 404
    for one in groups:
        says_nothing_of(lab, lab.get(f"/errors/{one['id']}/touched").content.decode())


def test_an_export_has_what_is_seen(lab: Lab) -> None:
    pytest.importorskip("pacer_dashboard.pages.export")
    for form in ("csv", "jsonl"):
        text = b"".join(lab.get("/messages/export", format=form).streaming_content).decode()
        says_nothing_of(lab, text)
        assert len(text.strip().splitlines()) == len(lab.seen) + (form == "csv")


def test_an_export_breaks_off_where_the_role_is_taken_meanwhile(lab: Lab) -> None:
    with patch("pacer_dashboard.pages.export._TOGETHER", 3):
        pieces = iter(lab.get("/messages/export", format="jsonl").streaming_content)
        assert next(pieces)
        assert next(pieces)
        Role.objects.get().users.clear()
        with pytest.raises(WithdrawnError, match="broken off"):
            next(pieces)


def test_changes_are_those_of_what_is_seen(lab: Lab) -> None:
    answer = lab.get("/changes", revision=0, limit=1000)
    says_nothing_of(lab, answer.content.decode())
    assert {row["correlation_id"] for row in answer.json()["rows"]} == {*lab.seen}
    filtered = lab.get("/changes", revision=0, limit=1000, state="dead")
    says_nothing_of(lab, filtered.content.decode())


def test_nobody_and_a_role_without_rules_see_nothing_at_all(lab: Lab) -> None:
    """W12, W16: upstream, who has no group gets every row."""
    paths = (
        "/messages",
        "/messages/estimate",
        "/errors",
        "/statistics?by=type",
        "/changes?revision=0",
        "/me",
    )
    for path in paths:
        assert Client().get(f"{API}{path}").status_code == 401
    RoleRule.objects.all().delete()
    for path in paths:
        text = lab.client.get(f"{API}{path}").content.decode()
        assert not [word for word in words_of({**lab.seen, **lab.hidden}) if word in text]
    assert lab.get("/messages/estimate").json() == {"number": 0, "exact": True}


def test_nothing_is_done_to_what_is_hidden_nor_told_of_it(lab: Lab) -> None:
    """W11: upstream, whoever may act may do so on any message, and reads its payload by its number."""
    RoleRule.objects.update(act=True, reingest=True)
    seen, hidden = (
        next(row for row in rows.values() if row.state == "dead" and row.acknowledged_at is None)
        for rows in (lab.seen, lab.hidden)
    )
    named = {"ids": [hidden.correlation_id]}
    nowhere = {"ids": ["not-there"]}
    for path, more in (
        ("/messages/acknowledge", {}),
        ("/messages/unacknowledge", {}),
        ("/again/preview", {}),
        ("/again", {"reason": "because"}),
        ("/again", {"reason": "because", "edit": "{}"}),
    ):
        answers = [lab.post(path, selection=selection, **more) for selection in (named, nowhere)]
        assert answers[0].status_code == answers[1].status_code
        told = [answer.content.decode() for answer in answers]
        assert told[0].replace(hidden.correlation_id, "") == told[1].replace("not-there", "")

    both = {"ids": [hidden.correlation_id, seen.correlation_id]}
    assert lab.post("/messages/acknowledge", selection=both, note="known").json() == {"count": 1}
    all_dead = {"filter": "state=dead"}
    mine = sum(row.state == "dead" for row in lab.seen.values())
    assert lab.post("/again/preview", selection=all_dead).json()["count"] == mine
    batch = lab.post("/again", selection=all_dead, reason="because", dry_run=True).json()
    assert batch["total"] == mine
    items = lab.get(f"/again/{batch['id']}/items").content.decode()
    says_nothing_of(lab, items)
    rows = all_rows()
    assert rows[seen.correlation_id].acknowledged_note == "known"
    assert rows[hidden.correlation_id].acknowledged_at is None
    payload = lab.post("/again", selection={"ids": [seen.correlation_id]}, reason="because", edit="{}")
    assert payload.status_code == 404  # what may not be seen is not edited either

    others = {row.group for row in lab.hidden.values()} - {row.group for row in lab.seen.values()} - {None}
    for path in ("/errors/status", "/errors/merge", "/errors/split"):
        said = {"status": "ignored"} if path.endswith("status") else {}
        assert lab.post(path, groups=[others.copy().pop(), seen.group], **said).status_code == 404
    audit = lab.get("/audit")
    assert {one["actor"] for one in audit.json()} == {"ada (test)"}
    says_nothing_of(lab, audit.content.decode().replace(hidden.correlation_id, ""))  # as it was typed
    InvestigationCheck.objects.create(
        investigation="HG-hidden",
        visit_id="1",
        ended=seen.arrived,
        first_check=seen.arrived,
        last_check=seen.arrived,
    )
    assert lab.get("/checks").json() == []
    for path in ("/alerts", "/again/1000000"):
        assert lab.get(path).status_code == 404

    RoleRule.objects.update(act=False, reingest=False)
    assert lab.post("/messages/acknowledge", selection=both).json() == {"count": 0}
    assert lab.post("/again/preview", selection=all_dead).json()["count"] == 0
    assert lab.post("/again", selection=all_dead, reason="because").status_code == 409
    assert lab.post("/errors/status", groups=[seen.group], status="ignored").status_code == 404


def test_everybody_sees_two_counts_at_most_and_only_where_that_is_switched_on(lab: Lab) -> None:
    """W12: upstream, hashes, types, routes, times and statistics are public."""
    assert Client().get(f"{API}/counts").status_code == 404
    assert "The last day" not in Client().get("/login").content.decode()
    with override_settings(PACER_PUBLIC_COUNTS=True):
        assert Client().get(f"{API}/counts").json() == {"messages": 2, "errors": 0}
        page = Client().get("/login").content.decode()
        assert "The last day" in page
        says_nothing_of(lab, page)
        assert Client().get(f"{API}/messages").status_code == 401


# --- the same by the pages -----------------------------------------------------------------------------

PAGES = (
    "/", "/?q={dataset}", "/?id=dataset={dataset}", "/?instrument=BL09&type=user-sync", "/?all=1&state=dead",
    "/messages/{hidden}", "/messages/{origin}", "/messages/seen-again", "/messages/?id={hidden}",
    "/messages.csv", "/messages.jsonl", "/payload?id={hidden}&sight=x", "/errors/", "/errors/?state=dead",
    "/errors/{error}", "/statistics/", "/statistics/?since=2026-01-01&until=2027-01-01", "/views/",
    "/again/", "/audit/", "/checks/", "/alerts/", "/tokens",
)  # fmt: skip


def test_no_page_says_anything_of_what_is_hidden(lab: Lab) -> None:
    """The ways by which W11 and W12 leak, as the pages have them: a session that sees some messages."""
    client = Client()
    client.force_login(User.objects.get())
    hidden = next(row for row in lab.hidden.values() if row.dataset)
    origin = next(row for row in lab.seen.values() if row.failed)
    others = {row.group for row in lab.hidden.values()} - {row.group for row in lab.seen.values()} - {None}
    words = {
        "dataset": hidden.dataset, "hidden": hidden.correlation_id, "origin": origin.correlation_id,
        "error": others.pop(),
    }  # fmt: skip
    for page in PAGES:
        answer = client.get(page.format(**words))
        text = b"".join(answer) if answer.streaming else answer.content
        said = text.decode()
        for asked in (word for name, word in words.items() if f"{{{name}}}" in page and name != "origin"):
            said = said.replace(str(asked), "")  # a page may repeat what it was asked for
        says_nothing_of(lab, said)
        assert answer.status_code < 500, page
        if "hidden" in page or "error}" in page:
            assert answer.status_code == 404, page


def test_nobody_is_led_to_the_login_from_every_page(lab: Lab) -> None:
    for page in PAGES:
        answer = Client().get(page.format(dataset="x", hidden="x", origin="x", error=1))
        assert answer.status_code == 302, page
        assert answer["Location"].startswith("/login?next=")
        assert Client().post(page.format(dataset="x", hidden="x", origin="x", error=1)).status_code == 401
    stream = {"Accept": "text/event-stream"}
    assert Client().get("/live", headers=stream).status_code == 401


def test_the_live_stream_tells_of_what_is_seen_until_the_role_is_taken(lab: Lab) -> None:
    """W16: upstream, anybody may listen to everything."""
    user = User.objects.get()
    client = AsyncClient()
    client.force_login(user)

    def take() -> None:
        user.dashboard_roles.clear()
        store.store([sent_again(next(iter(lab.seen.values())), "after-the-role", "BL01")])
        connections.close_all()

    async def listen() -> tuple[bytes, bytes]:
        answer: Any = await client.get("/live", {"revision": "0"}, headers={"Accept": "text/event-stream"})
        stream = aiter(answer)
        before = await anext(stream)
        while b"seen-again" not in before:
            before += await anext(stream)
        await sync_to_async(take)()
        after = b""
        async for piece in stream:
            after += piece
        return before, after

    with ThreadPoolExecutor(1) as thread:  # this one may have the loop of a browser
        before, after = thread.submit(asyncio.run, asyncio.wait_for(listen(), 60)).result()
    says_nothing_of(lab, before.decode())
    assert b"after-the-role" not in after
    assert b"event: gone" in after


# --- by hypothesis -------------------------------------------------------------------------------------


@frozen
class Whole:
    """A database with everything, and how others of its kind are made."""

    place: Place
    rows: Mapping[str, Row]
    another: Callable[[], Place]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=long)])
def whole(request: pytest.FixtureRequest, new_place: Callable[[str, str], Place]) -> Whole:
    """Make a database with everything, and an account with a token there."""
    place = new_place(request.param, "filled")
    prepare(place)
    viewer_client()
    return Whole(place, all_rows(), lambda: new_place(request.param, "empty"))


WORDS = st.sampled_from(
    [
        "scan",
        "HG-1",
        "BL09",
        "BL01",
        "quartz",
        "lysozyme",
        "duplicate",
        "person1",
        "503",
        "scan_0000",
        "zz",
        "'",
        "%",
    ]
)


def chosen(rows: Mapping[str, Row]) -> st.SearchStrategy[list[tuple[str, str]]]:
    """Give filters that ask for what somebody's messages have."""
    some = list(rows.values())

    def of(name: str) -> st.SearchStrategy[tuple[str, str]]:
        values = sorted({str(getattr(row, name)) for row in some} - {"", "None"})
        return st.tuples(st.just(name), st.sampled_from([*values, "nowhere"]))

    pairs = sorted({f"{key}={value}" for row in some for key, value in row.identifiers.items()})
    days = sorted({row.arrived.date().isoformat() for row in some})
    one = st.one_of(
        *(
            of(name)
            for name in ("type", "consumer", "state", "instrument", "proposal", "dataset", "exchange")
        ),
        st.tuples(st.just("id"), st.sampled_from(pairs)),
        st.tuples(st.just("q"), WORDS | st.sampled_from([row.dataset or "x" for row in some])),
        st.tuples(st.sampled_from(["since", "until"]), st.sampled_from(days)),
        st.tuples(st.just("acknowledged"), st.sampled_from(["yes", "no"])),
        st.tuples(st.just("not"), st.sampled_from(["type=user-sync", "state=acked", "instrument=BL09"])),
    )
    return st.lists(one, max_size=3)


PATHS = (
    "/messages", "/messages/estimate", "/errors", "/statistics?by=type", "/statistics?by=instrument",
    "/statistics?by=task", "/statistics/series?by=consumer&step=day", "/changes?revision=0&limit=1000",
)  # fmt: skip
NUMBERED = ("revision", "group", "id", "merged")
"""What a database numbers by itself."""


def plain(answer: Any) -> Any:
    """Give an answer without what each database numbers in its own way."""
    if isinstance(answer, dict):
        return {key: plain(value) for key, value in answer.items() if key not in NUMBERED}
    if isinstance(answer, list):
        return [plain(value) for value in answer]
    return answer


def ask(place: Place, path: str, client: Client) -> tuple[int, Any]:
    prepare(place)
    answer = client.get(f"{API}{path}")
    said = plain(answer.json())
    if path.startswith("/changes") and "rows" in said:  # a batch's are in whatever order the writer had them
        said["rows"].sort(key=lambda row: row["correlation_id"])
        said["gone"].sort()
    return answer.status_code, said


@pytest.mark.parametrize(
    ("rule", "may"),
    [
        (RULE, {}),
        ({"types": ["*"], "identifiers": {"instrument": ["BL13"]}}, {"personal": True}),
        ({"types": ["user-sync", "investigation-ops"], "identifiers": {"*": ["*"]}}, {}),
        ({"types": ["*"], "identifiers": {"investigation": ["HG-105", "HG-110"]}}, {"personal": True}),
    ],
)
def test_what_is_hidden_changes_no_answer(
    whole: Whole, rule: Mapping[str, Any], may: Mapping[str, bool]
) -> None:
    """The whole database and the one that has only what is seen answer every question alike."""
    rows, twin = whole.rows, whole.another()
    types, wanted = set(rule["types"]), rule["identifiers"]
    seen = {
        key
        for key, row in rows.items()
        if (types == {"*"} or row.type in types)
        and ("*" in wanted or all(row.identifiers.get(name) in values for name, values in wanted.items()))
    }
    assert 0 < len(seen) < len(rows)
    client = make_twin(whole, twin, seen, rule, may)
    cursors = [None, *(str(listing.Cursor(row.arrived, row.correlation_id)) for row in rows.values())]

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        path=st.sampled_from(PATHS),
        filter_=chosen(rows),
        after=st.sampled_from(cursors),
        where=st.sampled_from(["after", "before"]),
    )
    def attack(path: str, filter_: list[tuple[str, str]], after: str | None, where: str) -> None:
        query = list(filter_)
        if path == "/messages" and after:
            query.append((where, after))
        if path.startswith("/statistics"):
            query = [pair for pair in query if pair[0] not in ("since", "until")]
            query += [("since", "2026-09-01"), ("until", "2026-12-31")]
        asked = path + ("&" if "?" in path else "?") + urlencode(query)
        assert ask(whole.place, asked, client) == ask(twin, asked, client)

    attack()


def make_twin(
    whole: Whole, twin: Place, seen: set[str], rule: Mapping[str, Any], may: Mapping[str, bool]
) -> Client:
    """Store in a second database what is seen in the first, and open both by one token."""
    prepare(twin)
    records = [one for one in testing.lives(200) if one.correlation_id in seen]
    store.store(records)
    done = [key for key in seen if whole.rows[key].acknowledged_at is not None]
    for key in done:
        row = whole.rows[key]
        assert row.acknowledged_at
        store.acknowledge([key], by=row.acknowledged_by, at=row.acknowledged_at, note=row.acknowledged_note)
    client = viewer_client(rule, **may)
    made = Token.objects.get()
    prepare(whole.place)
    RoleRule.objects.update(**rule, **{"personal": False, **may})
    Token.objects.update(digest=made.digest, expires=made.expires)
    return client
