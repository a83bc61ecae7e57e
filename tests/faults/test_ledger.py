"""The ledger of the tests of faults finds what it is there to find."""

from __future__ import annotations

import pytest

from tests.faults.accounts import Account
from tests.faults.ledger import Ledger


@pytest.fixture
def accounts(ledger: Ledger) -> list[Account]:
    """What is recorded by a ledger of which nobody else shall hear."""
    accounts: list[Account] = []
    ledger.record, ledger.patience = accounts.append, 0.1
    ledger.configure()
    return accounts


def test_a_message_that_somebody_takes_away_is_missing(ledger: Ledger, accounts: list[Account]) -> None:
    ledger.send(3)
    assert ledger.lab.channel.basic_get("jobs", no_ack=True) is not None
    with pytest.raises(AssertionError, match="lost:"):
        ledger.close("a thief")
    assert [(one.sent, one.retry, one.missing) for one in accounts] == [(3, 2, 1)]


def test_a_message_that_is_there_twice_needs_a_reason(ledger: Ledger, accounts: list[Account]) -> None:
    (name,) = ledger.send()
    ledger.lab.publish({"name": name}, correlation_id=name)
    with pytest.raises(AssertionError, match="two endings without a reason"):
        ledger.close("a twin")
    assert [(one.sent, one.missing, one.twice, one.excused) for one in accounts] == [(1, 0, 1, 0)]


def test_a_message_that_nobody_has_sent_is_noticed(ledger: Ledger, accounts: list[Account]) -> None:
    ledger.lab.publish({"name": "stranger"}, correlation_id="stranger")
    with pytest.raises(AssertionError, match="nobody has sent"):
        ledger.close("a stranger")
