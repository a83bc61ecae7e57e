"""VISA's database goes away, breaks off, or is not what it should be; messages end in the same state."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import attrs
import psycopg
import psycopg_pool.pool
import pytest

from pacer_core import Delivery, Outcome, Secret
from pacer_visa import VISA, Visa, VisaAway, VisaOptions
from plugins.pacer_visa.tests.support import INVESTIGATIONS, USERS, investigation, member, send, user
from tests.services import PostgreSQL
from tests.support import eventually

Read = Callable[..., list[Any]]
TABLES = ("employer", "users", "user_role", "proposal", "experiment", "experiment_user")


class Cut:
    """Ends our connections at the n-th statement, as a server does that goes down."""

    def __init__(self, read: Read, patch: pytest.MonkeyPatch) -> None:
        self._read, self.at, self.count = read, 0, 0
        for name in ("execute", "executemany"):
            patch.setattr(psycopg.Cursor, name, self._counting(getattr(psycopg.Cursor, name)))
        patch.setattr(psycopg.Connection, "commit", self._counting(psycopg.Connection.commit))

    def _counting(self, real: Any) -> Any:
        def counting(one: Any, *arguments: Any, **named: Any) -> Any:
            connection = one if isinstance(one, psycopg.Connection) else one.connection
            if connection.info.get_parameters().get("application_name") == "pacer":
                self.count += 1
                if self.count == self.at:
                    self._read(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE application_name = 'pacer'"
                    )
            return real(one, *arguments, **named)

        return counting


@pytest.fixture
def cut(read: Read, monkeypatch: pytest.MonkeyPatch) -> Cut:
    """Cut connections where a test says."""
    monkeypatch.setattr(psycopg_pool.pool, "sleep", lambda _: None)  # before a dead connection is replaced
    return Cut(read, monkeypatch)


def everything(read: Read) -> dict[str, list[Any]]:
    return {table: sorted(read(f"SELECT * FROM {table}"), key=str) for table in TABLES}


def store_all(visa: Visa) -> list[Delivery]:
    team = [member("ada", "ada@example.org"), member("bob", "bob@example.org")]
    return [
        send(visa, USERS, user(is_staff=True), twice=False),
        send(visa, USERS, user(id=8, email="bob@example.org", user_list=[{"username": "bob"}]), twice=False),
        send(visa, INVESTIGATIONS, investigation(user_list=team), twice=False),
        send(visa, INVESTIGATIONS, investigation(user_list=team[1:], title="Again"), twice=False),
        send(visa, USERS, user(enabled=False), twice=False),
    ]


def test_a_connection_cut_at_any_statement_leaves_the_same_after_the_repeat(
    visa: Visa, read: Read, cut: Cut
) -> None:
    assert {delivery.outcome for delivery in store_all(visa)} == {Outcome.ACKED}
    wanted, statements = everything(read), cut.count
    assert statements > 20
    for at in range(1, statements + 1):
        read(
            "TRUNCATE employer, users, user_role, proposal, experiment, experiment_user, "
            "pacer_stamp, pacer_username, pacer_suspended, instance_experiment, instance_member"
        )
        cut.count, cut.at = 0, at
        for delivery in store_all(visa):
            assert delivery.outcome is not Outcome.DEAD, delivery.failures
        cut.at = 0
        store_all(visa)
        assert everything(read) == wanted, f"cut at statement {at}"


def test_a_restart_in_mid_batch_loses_nothing(visa: Visa, templates: PostgreSQL, database: str) -> None:
    for number in range(30):
        message = user(id=number + 1, email=f"{number}@example.org", user_list=[{"username": f"u{number}"}])
        if number == 10:
            templates.kill()
            delivery = send(visa, USERS, message, twice=False)
            assert delivery.outcome is Outcome.RETRIED, delivery.failures
            templates.start()
        eventually(lambda: send(visa, USERS, message).outcome is Outcome.ACKED)  # noqa: B023 - called at once
    with psycopg.connect(templates.url(database)) as connection:
        assert connection.execute("SELECT count(*) FROM visa.users").fetchone() == (30,)


def test_away_opens_the_breaker_and_a_check_closes_it(visa: Visa, templates: PostgreSQL) -> None:
    visa.check()
    templates.kill()
    with pytest.raises(VisaAway) as caught:
        visa.check()
    assert VISA.is_away is not None
    assert VISA.is_away(caught.value)
    templates.start()

    def answers() -> bool:
        with suppress(VisaAway):
            visa.check()
            return True
        return False

    eventually(answers)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"port": 1}, "gives no connection"),
        ({"database": "nowhere"}, "gives no connection"),
        ({"schema": "elsewhere"}, "is this VISA's schema?"),
        ({"ssl_mode": "verify-full"}, "gives no connection"),
    ],
)
def test_a_wrong_setting_is_away_and_says_so(
    options: VisaOptions, changes: dict[str, Any], words: str
) -> None:
    quick = attrs.evolve(options, connect_timeout=timedelta(milliseconds=1), **changes)
    client = Visa(quick)
    client.open()
    try:
        delivery = send(client, USERS, user(), twice=False)
    finally:
        client.close()
    assert delivery.outcome is Outcome.RETRIED
    assert words in delivery.failures[0].reason


def test_no_error_or_trace_has_the_password(options: VisaOptions) -> None:
    client = Visa(
        attrs.evolve(options, port=1, password=Secret("xyzzy"), connect_timeout=timedelta(milliseconds=1))
    )
    client.open()
    try:
        delivery = send(client, USERS, user(), twice=False)
    finally:
        client.close()
    assert "xyzzy" not in str(delivery)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("40001", "retry"),
        ("40P01", "retry"),
        ("55P03", "retry"),
        ("57014", "retry"),
        ("40002", "retry"),
        ("25P02", "retry"),
        ("26000", "retry"),
        ("42P05", "retry"),
        ("55006", "retry"),
        ("0A000", "retry"),
        ("54000", "retry"),
        ("72000", "retry"),
        ("P0001", "retry"),
        ("ZZ999", "retry"),
        ("25006", "away"),
        ("57P01", "away"),
        ("53100", "away"),
        ("53300", "away"),
        ("58030", "away"),
        ("42501", "away"),
        ("42883", "away"),
        ("23503", "not-yet"),
        ("22001", "reject"),
        ("22P05", "reject"),
        ("23505", "reject"),
        ("44000", "reject"),
        ("23514", "reject"),
    ],
)
def test_what_postgresql_says_decides_what_becomes_of_a_message(
    visa: Visa, read: Read, code: str, kind: str
) -> None:
    read(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION 'Lovelace' USING ERRCODE = '{code}'; END $$"
    )
    read("CREATE TRIGGER refuse BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION refuse()")
    delivery = send(visa, USERS, user(), twice=False)
    assert delivery.failures[0].kind == kind
    assert code in delivery.failures[0].reason
    assert "Lovelace" not in delivery.failures[0].reason


def test_a_database_that_is_read_only_for_a_while_is_held_against_no_message(
    visa: Visa, templates: PostgreSQL, database: str
) -> None:
    assert send(visa, USERS, user(), twice=False).outcome is Outcome.ACKED
    with psycopg.connect(templates.url(), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on".encode())
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
    delivery = send(visa, USERS, user(last_name="New"), twice=False)
    assert delivery.outcome is Outcome.RETRIED
    assert [one.kind for one in delivery.failures] == ["away"], delivery.failures
    with pytest.raises(VisaAway, match="read-only"):  # so that the breaker stays open as long as it is
        visa.check()
    with psycopg.connect(templates.url(), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {database} RESET default_transaction_read_only".encode())
    visa.check()
    # A connection of before, which is read-only for its whole life, is used once more at most.
    eventually(lambda: send(visa, USERS, user(last_name="New"), twice=False).outcome is Outcome.ACKED)
    with psycopg.connect(templates.url(database)) as connection:
        assert connection.execute("SELECT last_name FROM visa.users").fetchall() == [("New",)]


def test_a_check_says_why_there_is_no_connection(options: VisaOptions) -> None:
    nowhere = Visa(attrs.evolve(options, port=1, password=Secret("xyzzy")))
    elsewhere = Visa(attrs.evolve(options, database="nope", password=Secret("xyzzy")))
    with pytest.raises(VisaAway, match="port 1 failed: Connection refused") as refused:
        nowhere.check()
    with pytest.raises(VisaAway, match='database "nope" does not exist') as missing:
        elsewhere.check()
    assert "xyzzy" not in f"{refused.value} {missing.value}"
