"""``pacer dashboard user``: accounts, roles and tokens from the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from django.contrib.auth.models import User
from django.test import Client

from pacer_core import PacerError
from pacer_dashboard.access.viewers import viewer_of
from pacer_dashboard.commands import dashboard
from pacer_dashboard.models import Audit, Token
from pacer_dashboard.place import Place

PASSWORD = "a long pass phrase"
pytestmark = pytest.mark.usefixtures("empty", "testserver")
Run = Callable[..., str]


@pytest.fixture
def run(empty: Place, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command on the test's own database, and give what it says."""
    monkeypatch.setenv("PACER_DASHBOARD_DATABASE", str(empty.folder))

    def run(*arguments: str, typed: str | None = None) -> str:
        found: Result = CliRunner().invoke(dashboard, ["user", *arguments], input=typed)
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        if found.exit_code:
            raise click.ClickException(found.output)
        return found.output

    return run


def test_from_nothing_to_an_administrator_a_role_and_a_token(run: Run) -> None:
    assert run("add", "ada", "--admin", typed=f"{PASSWORD}\n{PASSWORD}\n").endswith("ada: administrator\n")
    said = run("define", "id01", "--type", "datasets", "--identifier", "instrument=ID01", "--right", "view",
               "--right", "act", "--group", "/id01-staff")  # fmt: skip
    assert said == "id01: view, act of datasets with instrument = ID01\n"
    assert run("add", "bob", "--no-password", "--role", "id01") == "bob: id01\n"
    listed = run("list")
    for line in (
        "ada: administrator",
        "bob: id01",
        "role id01:",
        "  view, act of datasets with instrument = ID01",
        "id01-staff",
    ):
        assert line in listed
    text = run("token", "bob", "--role", "id01", "--days", "5").strip()
    me = Client().get("/api/v1/me", headers={"Authorization": f"Bearer {text}"}).json()
    assert me["rules"] == [
        {"types": ["datasets"], "identifiers": {"instrument": ["ID01"]}, "rights": ["act", "view"]}
    ]
    assert text not in str(list(Token.objects.values()))
    assert run("role", "bob", "id01", "--take") == "bob: no role, so it sees nothing\n"
    assert viewer_of(User.objects.get(username="bob")).rules == ()
    actions = list(Audit.objects.order_by("pk").values_list("action", flat=True))
    assert actions == ["access-add", "access-change", "access-add", "access-add", "access-take-role"]
    assert PASSWORD not in str(list(Audit.objects.values()))
    assert text not in str(list(Audit.objects.values()))


def test_what_cannot_be_done_is_said_with_what_to_do(run: Run) -> None:
    run("add", "ada", "--password", PASSWORD)
    for arguments, said in (
        (("add", "ada", "--password", PASSWORD), "there is an account"),
        (("add", "bob", "--password", "secret"), "too short"),
        (("add", "bo b", "--no-password"), "valid username"),
        (("add", "bob", "--no-password", "--role", "none"), "there is no role"),
        (("define", "id01", "--type", "datasets"), "needs --type and --identifier"),
        (("define", "id01", "--type", "datasets", "--identifier", "ID01"), "write key = value"),
        (("role", "eve", "id01"), "there is no account"),
    ):
        with pytest.raises(PacerError, match=said):
            run(*arguments)
    run("define", "id01", "--type", "*", "--identifier", "*")
    with pytest.raises(PacerError, match="does not have the role"):
        run("token", "ada", "--role", "id01")


def test_asking_for_help_makes_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACER_DASHBOARD_DATABASE", str(tmp_path / "none"))
    assert CliRunner().invoke(dashboard, ["user", "add", "--help"]).exit_code == 0
    assert not (tmp_path / "none").exists()


def test_processes_that_begin_at_once_make_the_tables_one_after_another(tmp_path: Path) -> None:
    env = {**os.environ, "PACER_DASHBOARD_DATABASE": str(tmp_path / "new")}
    command = [sys.executable, "-c", "from pacer_core.cli import main; main()", "dashboard", "migrate"]
    begun = [subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [one.wait(120) for one in begun] == [0, 0]


def test_a_new_password_ends_sessions(run: Run) -> None:
    run("add", "ada", "--password", PASSWORD)
    client = Client()
    client.force_login(User.objects.get())
    assert client.get("/api/v1/me").status_code == 200
    run("password", "ada", "--password", "another long pass phrase")
    assert client.get("/api/v1/me").status_code == 401
    assert User.objects.get().check_password("another long pass phrase")


def test_a_command_does_all_with_its_note_in_the_audit_log_or_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("define", "some", "--type", "*", "--identifier", "*")
    run("define", "other", "--type", "*", "--identifier", "*")
    run("add", "bob", "--role", "some", "--password", PASSWORD)

    def ends(*_: object) -> None:
        raise OSError("the process ends here")

    monkeypatch.setattr("pacer_dashboard.access.audited.note", ends)
    for command in (
        ("role", "bob", "other"),
        ("role", "bob", "some", "--take"),
        ("password", "bob", "--password", "another long phrase"),
        ("token", "bob", "--role", "some"),
    ):
        with pytest.raises(OSError, match="ends here"):
            run(*command)
    bob = User.objects.get(username="bob")
    assert [one.name for one in bob.dashboard_roles.all()] == ["some"]
    assert bob.check_password(PASSWORD)
    assert not Token.objects.exists()
