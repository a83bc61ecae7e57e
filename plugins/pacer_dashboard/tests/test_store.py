"""Records in the database: each once, whatever comes twice, and in whatever order."""

from __future__ import annotations

import random
from typing import Any

from pacer_dashboard import testing
from pacer_dashboard.place import Place


def snapshot() -> dict[str, object]:
    """Give all that is stored, but for what the order of storing may change."""
    from pacer_dashboard import models

    left_out = {"revision", "id", "group", "group_id", "arrived"}
    found: dict[str, object] = {}
    for model in (models.Message, models.Identifier, models.Payload, models.Rollup, models.ErrorGroup):
        rows = model._default_manager.values()
        found[model.__name__] = sorted(
            str({key: value for key, value in sorted(row.items()) if key not in left_out})
            for row in rows
            if not (model is models.Rollup and _is_nothing(row))
        )
    found["sights"] = models.Sight.objects.count()
    found["failures"] = sum(models.ErrorDay.objects.values_list("count", flat=True))
    return found


def _is_nothing(row: dict[str, Any]) -> bool:
    return not any(row[name] for name in ("messages", "acked", "retried", "dead", "processing", "queueing"))


def test_records_in_any_order_and_twice_are_stored_as_once_in_order(each_empty: Place) -> None:
    from django.core.management import call_command

    from pacer_dashboard import store

    records = [*testing.lives(60)]
    store.store(records)
    once = snapshot()
    call_command("flush", interactive=False, verbosity=0)
    from pacer_dashboard.models import Clock

    Clock.objects.create(id=1, revision=0)
    twice = records * 2
    random.Random(3).shuffle(twice)
    while twice:
        batch, twice = twice[:7], twice[7:]
        store.store(batch)
    later = snapshot()
    assert later["sights"] == once["sights"] == len(records)
    assert later["failures"] == once["failures"]
    assert later["ErrorGroup"] == once["ErrorGroup"]
    assert later["Rollup"] == once["Rollup"]
    assert later["Message"] == once["Message"]
