"""The audit log is added to, and nothing else, on either database; what people say is in it."""

from __future__ import annotations

import pytest

from pacer_dashboard.place import Place


def test_nobody_changes_or_deletes_what_is_in_the_audit_log(each_empty: Place) -> None:
    from django.db import DatabaseError, connection, transaction

    from pacer_dashboard.models import Audit

    one = Audit.objects.create(actor="operator", action="again", subject="c-1", note="why")
    attempts = [
        "UPDATE pacer_dashboard_audit SET actor = 'somebody else'",
        "DELETE FROM pacer_dashboard_audit",
    ]
    if connection.vendor == "postgresql":
        attempts.append("TRUNCATE pacer_dashboard_audit")
    else:
        attempts.append(
            "REPLACE INTO pacer_dashboard_audit (id, actor, action, subject, note, count, detail) "
            f"VALUES ({one.id}, 'somebody else', '', '', '', 1, '{{}}')"
        )
    for statement in attempts:
        with (
            pytest.raises(DatabaseError, match="only added to"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
    with pytest.raises(DatabaseError, match="only added to"), transaction.atomic():
        one.delete()
    (kept,) = Audit.objects.values_list("actor", "subject", "note")
    assert kept == ("operator", "c-1", "why")
    assert Audit.objects.get().at is not None


def test_acknowledging_takes_name_time_and_note_where_one_may_act(stored: Place) -> None:
    from pacer_dashboard.again import acknowledging
    from pacer_dashboard.again.selection import Selection
    from pacer_dashboard.models import Audit
    from pacer_dashboard.query import EVERYTHING, Filter, Right, Rule, Viewer, changes, listing

    rows = listing.page(EVERYTHING, Filter(states=("dead",), acknowledged=False), size=500).rows
    types = {row.type for row in rows}
    assert len(types) > 1
    some = min(types)
    mine = Viewer("jane", (Rule(frozenset({some}), rights=frozenset({Right.ACT})), Rule(None)))
    before = changes.newest()
    number = acknowledging.acknowledge(
        mine, Selection(filter=Filter(states=("dead",), acknowledged=False)), "known"
    )
    assert number == sum(row.type == some for row in rows)
    now = listing.page(EVERYTHING, Filter(states=("dead",), acknowledged=True), size=500).rows
    said = [one for one in now if one.acknowledged_by == "jane"]
    assert len(said) == number
    assert all(one.acknowledged_note == "known" and one.acknowledged_at for one in said)
    assert len(changes.since(EVERYTHING, Filter(), before, 500).rows) == number
    assert [*Audit.objects.values_list("actor", "action", "count")] == [("jane", "acknowledge", number)]


def test_errors_are_resolved_merged_and_split_by_whom_they_concern_and_it_is_written_down(
    stored: Place,
) -> None:
    from pacer_dashboard.again import acknowledging
    from pacer_dashboard.models import Audit, ErrorGroup
    from pacer_dashboard.query import NotVisible, Rule, Viewer

    first, second, *_ = ErrorGroup.objects.order_by("id").values_list("id", flat=True)
    operator = Viewer("operator", everything=True)
    assert acknowledging.set_status(operator, [first], "resolved", "a new disk") == 1
    assert ErrorGroup.objects.get(id=first).status == "resolved"
    assert acknowledging.merge(operator, [first, second]) == first
    assert ErrorGroup.objects.get(id=second).merged_into_id == first
    assert acknowledging.split(operator, second)
    with pytest.raises(NotVisible):  # sees all, and may act on nothing
        acknowledging.set_status(Viewer("reader", (Rule(None),)), [first], "ignored")
    with pytest.raises(ValueError, match="two errors"):
        acknowledging.merge(operator, [first])
    assert [*Audit.objects.order_by("id").values_list("action", "note")] == [
        ("errors-resolved", "a new disk"),
        ("errors-merge", ""),
        ("errors-split", ""),
    ]
