"""Nobody gets more than his rules give him, and nobody less: by any way to ask, against an"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacer_dashboard import testing
from pacer_dashboard.place import Place
from pacer_dashboard.query import Filter, NotVisible, Right, Row, Rule, SightView, Viewer
from tests.at_length import Scale

EXAMPLES = 25
INSTRUMENTS = st.sampled_from([*testing.INSTRUMENTS, "BL99"])
PROPOSALS = st.sampled_from([f"HG-{number}" for number in range(100, 131)])
USERS = st.sampled_from([f"person{number}" for number in range(42)])
TYPES = st.sampled_from([*testing.TYPES[:4], "no-such-type"])
DAYS = st.sampled_from([(testing.START + timedelta(days=number)).date() for number in range(-1, 4)])
IDENTIFIERS = st.one_of(
    st.dictionaries(st.just("instrument"), st.frozensets(INSTRUMENTS, max_size=3), max_size=1),
    st.dictionaries(st.just("proposal"), st.frozensets(PROPOSALS, max_size=9), max_size=1),
    st.fixed_dictionaries(
        {"instrument": st.frozensets(INSTRUMENTS, max_size=3), "investigation": st.frozensets(PROPOSALS)}
    ),
    st.dictionaries(st.just("user"), st.frozensets(USERS, max_size=20), max_size=1),
)
RULES = st.builds(
    Rule,
    types=st.none() | st.frozensets(TYPES, max_size=3),
    identifiers=IDENTIFIERS,
    rights=st.frozensets(st.sampled_from(Right), max_size=4),
)
VIEWERS = st.builds(Viewer, name=st.just("somebody"), rules=st.lists(RULES, max_size=3).map(tuple)) | st.just(
    Viewer("all", everything=True)
)


def some(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """Give no value mostly, and else one or two."""
    return st.just(()) | st.lists(strategy, min_size=1, max_size=2, unique=True).map(tuple)


FILTERS = st.builds(
    Filter,
    types=some(TYPES),
    states=some(st.sampled_from(["acked", "retried", "dead"])),
    instruments=some(INSTRUMENTS),
    proposals=some(PROPOSALS),
    identifiers=some(st.tuples(st.just("user"), USERS) | st.tuples(st.just("instrument"), INSTRUMENTS)),
    text=st.sampled_from(
        [
            "",
            "",
            "",
            "quartz",
            "lyso",
            "hg-1",
            "h-1",
            "person1",
            "scan_000",
            "can_00017",
            "scan-00017",
            "refused",
            "q",
            "zzz",
            "%_",
        ]
    ),
    group=st.none() | st.integers(1, 8),
    since=st.none() | DAYS,
    until=st.none() | DAYS,
    acknowledged=st.none() | st.booleans(),
    exchange=st.none() | st.sampled_from(["users-exchange", "datasets-exchange"]),
    excluded=some(
        st.tuples(st.just("type"), TYPES)
        | st.tuples(st.just("state"), st.just("dead"))
        | st.tuples(st.just("group"), st.just("2"))
    ),
)


def rows_of(known: list[Any]) -> list[Row]:
    return [one.row for one in known]


TOKEN = re.compile(r"[^\W_]+")


@frozen
class Known:
    """A message with all that is stored of it."""

    row: Row
    sights: tuple[SightView, ...]
    payloads: Mapping[str, bytes]
    """By sight."""


def everything() -> list[Known]:
    """Read all that is stored, the newest message first."""
    from pacer_dashboard import models

    bodies = {(one.correlation_id, one.digest): one.body.encode() for one in models.Payload.objects.all()}
    found: list[Known] = []
    for message in models.Message.objects.all():
        sights = [
            SightView.of(one) for one in models.Sight.objects.filter(correlation_id=message.correlation_id)
        ]
        payloads = {
            one.id: bodies[one.correlation_id, one.digest]
            for one in sights
            if (one.correlation_id, one.digest) in bodies
        }
        ordered = sorted(sights, key=lambda one: (one.finished, one.attempt, one.id))
        found.append(Known(Row.of(message), tuple(ordered), payloads))
    return sorted(found, key=lambda one: (one.row.arrived, one.row.correlation_id), reverse=True)


def may(viewer: Viewer, right: Right, row: Row) -> bool:
    """Tell whether any rule alone gives the right on a message."""
    if viewer.everything:
        return True
    for rule in viewer.rules:
        gives = right in rule.rights or (right is Right.VIEW and rule.rights)
        if not gives or (rule.types is not None and row.type not in rule.types):
            continue
        if all(row.identifiers.get(key) in values for key, values in rule.identifiers.items()):
            return True
    return False


def asked(
    known: Iterable[Known], viewer: Viewer, filter_: Filter, right: Right, groups: Mapping[int, int]
) -> list[Known]:
    """Give what a viewer may have of what a filter asks for."""
    found = []
    for one in known:
        if not may(viewer, right, one.row) or not filter_.without_text().matches(one.row, groups):
            continue
        in_text = all(word in one.row.text for word in filter_.words)
        in_payload = may(viewer, Right.PERSONAL, one.row) and any(
            _has_words(body, filter_.words) for body in one.payloads.values()
        )
        if in_text or in_payload:
            found.append(one)
    return found


def _has_words(body: bytes, words: Iterable[str]) -> bool:
    tokens = [token.lower() for token in TOKEN.findall(body.decode())]
    parts = [parts for word in words if (parts := TOKEN.findall(word))]
    return bool(parts) and all(
        all(part in tokens for part in whole) and any(token.startswith(begin) for token in tokens)
        for *whole, begin in parts
    )


@pytest.mark.timeout(300)
def test_each_way_to_ask_gives_exactly_what_the_rules_give(
    each_stored: Place, scale: Scale, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pacer_dashboard import store
    from pacer_dashboard.query import changes, counting, export, groups, life, listing, statistics, walks

    monkeypatch.setattr(walks, "QUARTER", timedelta(days=2))  # so that a few days are several

    store.merge([3], into=1)
    known = everything()
    merged = groups.merged()
    assert merged == {3: 1}
    begin, end = testing.START - timedelta(days=2), testing.START + timedelta(days=60)

    @settings(max_examples=scale(EXAMPLES, 400), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        viewer=VIEWERS,
        filter_=FILTERS,
        right=st.sampled_from(Right),
        size=st.integers(1, 60),
        few=st.sampled_from([4, 600]),
        by_words=st.sampled_from([(0, 1, 500), (3, 25, 4), (3000, 1, 7), (3000, 1000, 500)]),
        data=st.data(),
    )
    def each(
        viewer: Viewer,
        filter_: Filter,
        right: Right,
        size: int,
        few: int,
        by_words: tuple[int, int, int],
        data: st.DataObject,
    ) -> None:
        monkeypatch.setattr(walks, "_FEW", few)
        for name, number in zip(("_SOME", "_SHARE", "_AT_ONCE"), by_words, strict=True):
            monkeypatch.setattr(walks, name, number)
        expected = rows_of(asked(known, viewer, filter_, Right.VIEW, merged))

        # the list, page by page, there and back
        pages = [listing.page(viewer, filter_, size=size)]
        while pages[-1].older is not None:
            pages.append(listing.page(viewer, filter_, after=pages[-1].older, size=size))
        assert [row for page in pages for row in page.rows] == expected
        if len(pages) > 1:
            back = listing.page(viewer, filter_, before=pages[-1].newer, size=size)
            assert back.rows == pages[-2].rows

        # counting, exporting, choosing for an action
        exact = counting.Estimate(len(expected), exact=True)
        assert counting.estimate(viewer, filter_) == exact
        assert counting.estimate(viewer, filter_, page=pages[0]) == exact
        assert [*export.rows(viewer, filter_)] == expected
        chosen = rows_of(asked(known, viewer, filter_, right, merged))
        assert [*listing.ids(viewer, filter_, right)] == [one.correlation_id for one in chosen]

        # what has changed, and what of it is not asked for
        seen = {one.correlation_id for one in rows_of(asked(known, viewer, Filter(), Right.VIEW, merged))}
        said: list[Row] = []
        gone: list[str] = []
        revision, more = 0, True
        while more:
            answer = changes.since(viewer, filter_, revision, limit=50)
            said += answer.rows
            gone += answer.gone
            revision, more = answer.revision, answer.more
        assert said == sorted(expected, key=lambda one: one.revision)
        assert set(gone) == seen - {one.correlation_id for one in expected}
        assert revision == changes.newest()

        # one message, its payloads, and what it is linked to
        one = data.draw(st.sampled_from(known))
        if one.row.correlation_id in seen:
            found = life.life(viewer, one.row.correlation_id)
            personal = may(viewer, Right.PERSONAL, one.row)
            assert found.message == one.row
            assert [sight.id for sight in found.sights] == [sight.id for sight in one.sights]
            assert all(personal or not sight.digest for sight in found.sights)
            again = {row.correlation_id for row in rows_of(known) if row.origin == one.row.correlation_id}
            assert {row.correlation_id for row in found.again} == again & seen
            assert (found.origin is not None) == (one.row.origin in seen)
        else:
            with pytest.raises(NotVisible):
                life.life(viewer, one.row.correlation_id)
        for sight, body in one.payloads.items():
            if may(viewer, Right.PERSONAL, one.row):
                assert life.payload(viewer, one.row.correlation_id, sight) == body
            else:
                with pytest.raises(NotVisible):
                    life.payload(viewer, one.row.correlation_id, sight)

        # groups of errors
        counts = Counter(merged.get(row.group, row.group) for row in expected if row.group is not None)
        if not viewer.everything:
            answered = groups.page(viewer, filter_, size=100).groups
            assert {one.id: one.count for one in answered} == counts
            for number in range(1, 8):
                mine = any(
                    merged.get(row.group, row.group) == merged.get(number, number)
                    for row in rows_of(known)
                    if row.correlation_id in seen and row.group
                )
                if mine:
                    groups.group(viewer, number)
                else:
                    with pytest.raises(NotVisible):
                        groups.group(viewer, number)

        # statistics: from sums, or message by message
        numbers, complete = statistics.total(viewer, filter_, begin, end)
        sights = Counter(sight.outcome for row in expected for sight in by_id[row.correlation_id].sights)
        assert complete
        assert numbers.messages == len(expected)
        if not filter_.consumers:
            assert {"acked": numbers.acked, "retried": numbers.retried, "dead": numbers.dead} == {
                "acked": sights["acked"],
                "retried": sights["retried"],
                "dead": sights["dead"],
            }

    by_id = {one.row.correlation_id: one for one in known}
    each()


def test_who_has_no_rule_sees_nothing(stored: Place) -> None:
    from pacer_dashboard.query import NOBODY, changes, counting, groups, listing, statistics

    nothing = (
        NOBODY,
        Viewer("no rights", (Rule(None, rights=frozenset()),)),
        Viewer("no types", (Rule(frozenset()),)),
        Viewer("no values", (Rule(None, {"instrument": frozenset()}),)),
    )
    for viewer in nothing:
        assert listing.page(viewer, Filter()).rows == ()
        assert counting.estimate(viewer, Filter()).number == 0
        assert changes.since(viewer, Filter(), 0).rows == ()
        assert groups.page(viewer).groups == ()
        numbers, _ = statistics.total(viewer, Filter(), testing.START, datetime.now(UTC))
        assert (numbers.messages, numbers.sights) == (0, 0)


def test_what_is_too_much_to_count_is_estimated(each_stored: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from pacer_dashboard.query import EVERYTHING, counting, listing

    staff = Viewer("staff", (Rule(None, {"instrument": frozenset(testing.INSTRUMENTS[:2])}),))
    asked = [(EVERYTHING, Filter()), (EVERYTHING, Filter(types=testing.TYPES[:1])), (staff, Filter())]
    searched = EVERYTHING, Filter(text="scan")
    counts = [counting.estimate(*one).number for one in asked]
    scans = counting.estimate(*searched).number
    short = listing.page(EVERYTHING, Filter(), size=5)
    assert min(counts) > 10
    assert not short.whole

    monkeypatch.setattr(counting, "COUNTED", 10)
    assert [counting.estimate(*one) for one in asked] == [counting.Estimate(one, False) for one in counts]
    assert counting.estimate(EVERYTHING, Filter(), page=short) == counting.Estimate(counts[0], False)
    for filter_ in (Filter(states=("acked",)), Filter(identifiers=(("user", "person1"),)), searched[1]):
        found = counting.estimate(EVERYTHING, filter_)
        assert found.exact == (found.number <= 10)

    both = counting.estimate(EVERYTHING, Filter(text="scan", instruments=testing.INSTRUMENTS[:2]))
    assert both.exact
    monkeypatch.setattr(counting, "COUNTED_IN_SEARCH", 3)
    about = counting.estimate(EVERYTHING, Filter(text="scan", instruments=testing.INSTRUMENTS[:2]))
    assert (about.exact, about.number > 3) == (False, True)

    monkeypatch.setattr(counting, "COUNTED", 1000)
    monkeypatch.setattr(counting, "SEARCHED", timedelta(hours=12))
    found = counting.estimate(*searched)
    assert not found.exact
    assert scans / 3 < found.number < 3 * scans


@given(filter_=FILTERS)
def test_a_filter_in_an_address_is_the_same_filter(filter_: Filter) -> None:
    from django.conf import settings as django_settings
    from django.http import QueryDict

    from pacer_dashboard.start import prepare

    prepare()
    assert django_settings.configured
    assert Filter.from_query(QueryDict(filter_.to_query())) == filter_
