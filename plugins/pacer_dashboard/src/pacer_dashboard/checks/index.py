"""Messages about public datasets: one for each, confirmed, a page at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from typing import TYPE_CHECKING

from attrs import frozen

from pacer_core import BrokerByHand, Posting
from pacer_dashboard.checks.options import IndexOptions

if TYPE_CHECKING:
    from pacer_icat import IcatClient

_TOGETHER = 500


@frozen
class Indexed:
    """How many datasets there were, how many of their messages are confirmed, and why the first is not."""

    datasets: int
    sent: int
    trouble: str = ""


def last_month(now: datetime, zone: tzinfo | None = UTC) -> tuple[datetime, datetime]:
    """Give the first moments of the previous month and of this one, by the facility's calendar."""
    end = now.astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (end - timedelta(days=1)).replace(day=1), end


def run(
    icat: IcatClient,
    options: IndexOptions,
    *,
    all_datasets: bool = False,
    embargoed: bool = False,
    dry_run: bool = False,
    now: datetime | None = None,
    opened: Callable[[], BrokerByHand],
) -> Indexed:
    """Send a message about each dataset that was released in the previous month, or about all.

    What is still under embargo is left out, unless ``embargoed`` is said.
    """
    from pacer_dashboard.checks.icat import public_datasets

    now = now or datetime.now(UTC)
    begin, end = (None, now) if all_datasets else last_month(now, icat.shared.zone)
    ids = public_datasets(
        icat, options.left_out, begin=begin, end=None if embargoed and all_datasets else end
    )
    if dry_run:
        return Indexed(sum(1 for _ in ids), 0)
    count = sent = 0
    with opened() as broker:
        while page := [*islice(ids, _TOGETHER)]:
            count += len(page)
            said = broker.publish_each([*_postings(options, page)])
            sent += sum(error is None for error in said)
            if trouble := next((str(error) for error in said if error is not None), ""):
                return Indexed(count, sent, trouble)
    return Indexed(count, sent)


def _postings(options: IndexOptions, ids: Iterable[int]) -> Iterable[Posting]:
    for id_ in ids:
        body = json.dumps({"dataset_id": id_, "index_name": options.index}).encode()
        yield Posting(options.exchange, options.routing_key, body, content_type="application/json")
