"""What roles give, and that it holds at once (W13, W14)."""

from __future__ import annotations

import logging
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from pacer_dashboard.access.grammar import GrammarError, identifiers_of, text_of_identifiers, types_of
from pacer_dashboard.access.standing import Standing, standing_of, viewers_now
from pacer_dashboard.access.tidying import tidy
from pacer_dashboard.access.tokens import BadTokenError, make_token, token_of
from pacer_dashboard.access.viewers import viewer_of, viewer_of_token
from pacer_dashboard.models.access import Role, RoleRule, SignedIn
from pacer_dashboard.models.tokens import Token
from pacer_dashboard.query.viewer import NOBODY, Right

pytestmark = pytest.mark.usefixtures("empty", "testserver")


def message(type_: str, **identifiers: str) -> Any:
    return SimpleNamespace(type=type_, identifiers=identifiers)


def role(name: str = "role", **rule: Any) -> Role:
    made = Role.objects.create(name=name)
    if rule:
        RoleRule.objects.create(role=made, **{"view": True, **rule})
    return made


def somebody(*roles: Role, name: str = "ada", **more: Any) -> User:
    made = User.objects.create_user(name, password="a long pass phrase", **more)
    made.dashboard_roles.set(roles)
    return made


@pytest.mark.parametrize(
    ("types", "identifiers"),
    [
        ([], {}),
        ([], {"instrument": ["ID01"]}),
        ([], {"*": ["*"]}),
        (["datasets"], {}),
        (["datasets"], {"instrument": []}),
        (["*"], {}),
        ([""], {"*": ["*"]}),
        (["*"], {"instrument": "ID01"}),
        ("*", {"*": ["*"]}),
        (None, None),
        ({"datasets": 1}, {"*": ["*"]}),
        ([["datasets"]], {"*": ["*"]}),
    ],
)
def test_a_rule_that_does_not_say_what_it_is_about_gives_nothing(types: Any, identifiers: Any) -> None:
    """W13: upstream, a group with empty lists sees everything."""
    made = Role(name="odd")
    viewer = viewer_of(somebody(role()))
    assert viewer.rules == ()
    from pacer_dashboard.access.viewers import rule_of

    assert rule_of(RoleRule(role=made, types=types, identifiers=identifiers, view=True)) is None


def test_rules_are_judged_one_by_one_and_types_of_one_do_not_cross_with_instruments_of_another() -> None:
    """W13: upstream joins the types of all groups, and their instruments, and crosses them."""
    one = role("id01", types=["datasets"], identifiers={"instrument": ["ID01"]})
    two = role("users", types=["users"], identifiers={"instrument": ["ID02"]})
    viewer = viewer_of(somebody(one, two))
    assert viewer.may(Right.VIEW, message("datasets", instrument="ID01"))
    assert viewer.may(Right.VIEW, message("users", instrument="ID02"))
    assert not viewer.may(Right.VIEW, message("datasets", instrument="ID02"))
    assert not viewer.may(Right.VIEW, message("users", instrument="ID01"))
    assert not viewer.may(Right.VIEW, message("datasets"))


def test_every_identifier_of_a_rule_has_to_hold_and_any_key_will_do() -> None:
    rule = {"instrument": ["ID01", "ID02"], "proposal": ["P1"]}
    viewer = viewer_of(somebody(role(types=["*"], identifiers=rule, act=True)))
    assert viewer.may(Right.ACT, message("anything", instrument="ID02", proposal="P1", sample="s"))
    assert not viewer.may(Right.VIEW, message("anything", instrument="ID02", proposal="P2"))
    assert not viewer.may(Right.REINGEST, message("anything", instrument="ID02", proposal="P1"))
    assert not viewer.may(Right.PERSONAL, message("anything", instrument="ID02", proposal="P1"))


def test_who_administers_sees_everything_and_a_role_makes_somebody_that() -> None:
    administers = Role.objects.create(name="admins", administers=True)
    user = somebody(administers)
    assert viewer_of(user).everything
    assert user.has_perm("pacer_dashboard.change_role")
    administers.users.clear()
    assert not viewer_of(user).everything


def test_an_account_that_is_switched_off_sees_nothing() -> None:
    user = somebody(role(types=["*"], identifiers={"*": ["*"]}), is_superuser=True)
    User.objects.update(is_active=False)
    assert viewer_of(user) == NOBODY


def test_a_change_of_anything_about_a_role_holds_at_the_next_request() -> None:
    """W14: upstream, up to a day later."""
    given = role(types=["datasets"], identifiers={"instrument": ["ID01"]})
    user = somebody()
    SignedIn.objects.create(user=user, issuer="i", subject="s", groups=["staff"])
    client = Client()
    client.force_login(user)

    def rules() -> list[Any]:
        found: list[Any] = client.get("/api/v1/me").json()["rules"]
        return found

    assert rules() == []
    user.dashboard_roles.add(given)
    assert rules() == [{"types": ["datasets"], "identifiers": {"instrument": ["ID01"]}, "rights": ["view"]}]
    given.rules.update(types=["*"], identifiers={"*": ["*"]})
    assert rules() == [{"types": "*", "identifiers": "*", "rights": ["view"]}]
    given.rules.all().delete()
    assert rules() == []
    RoleRule.objects.create(role=given, types=["*"], identifiers={"*": ["*"]})
    user.dashboard_roles.clear()
    assert rules() == []
    given.groups.create(name="staff")
    assert len(rules()) == 1
    SignedIn.objects.update(groups=[])
    assert rules() == []


def test_a_token_gives_its_role_alone_and_no_longer_than_its_owner_has_it() -> None:
    small = role("small", types=["datasets"], identifiers={"*": ["*"]})
    large = role("large", types=["*"], identifiers={"*": ["*"]}, act=True)
    owner = somebody(small, large)
    token, _ = make_token(owner, small, "script", timedelta(days=1))
    (rule,) = viewer_of_token(token).rules
    assert rule.types == frozenset({"datasets"})
    owner.dashboard_roles.remove(small)
    assert viewer_of_token(Token.objects.get()) == NOBODY
    owner.dashboard_roles.add(small)
    User.objects.update(is_active=False)
    assert viewer_of_token(Token.objects.select_related("owner").get()) == NOBODY


def test_a_token_is_stored_as_a_hash_lasts_for_a_time_and_says_when_it_was_used() -> None:
    given = role(types=["*"], identifiers={"*": ["*"]})
    token, text = make_token(somebody(given), given, "script", timedelta(days=1))
    assert text.startswith("pacer_")
    assert text not in str(Token.objects.values().get())
    assert token_of(text) == token
    assert Token.objects.get().last_used is not None
    with pytest.raises(BadTokenError):
        token_of(text + "x")
    Token.objects.update(expires=timezone.now())
    with pytest.raises(BadTokenError):
        token_of(text)
    with pytest.raises(ValueError, match="366 days"):
        make_token(token.owner, given, "for ever", timedelta(days=4000))


def test_a_stream_learns_at_once_that_a_role_a_session_or_a_token_is_gone() -> None:
    """W16: upstream, whoever connects is told everything."""
    given = role(types=["*"], identifiers={"*": ["*"]})
    user, other = somebody(given), somebody(given, name="bob")
    clients = [Client(), Client()]
    for client, one in zip(clients, (user, other), strict=True):
        client.force_login(one)
    sessions = [Standing(session=str(client.session.session_key)) for client in clients]
    token, _ = make_token(user, given, "script", timedelta(days=1))
    shown, nobody = Standing(token=token.pk), Standing()
    everyone = [*sessions, shown, nobody]

    now = viewers_now(everyone)
    assert [bool(now[one].rules) for one in everyone] == [True, True, True, False]
    user.dashboard_roles.clear()
    now = viewers_now(everyone)
    assert [bool(now[one].rules) for one in everyone] == [False, True, False, False]

    clients[0].post("/logout")
    other.set_password("another long pass phrase")
    other.save()
    token.delete()
    assert viewers_now(everyone) == {nobody: NOBODY}
    assert viewers_now([Standing(session="made up"), Standing(token=7), Standing(without_login=True)]) == {}


def test_a_request_says_by_what_it_was_let_in() -> None:
    session = SimpleNamespace(session_key="abc")
    user = SimpleNamespace(is_authenticated=True)
    by_session: Any = SimpleNamespace(without_login=False, token=None, user=user, session=session)
    assert standing_of(by_session) == Standing(session="abc")
    by_session.token = SimpleNamespace(pk=3)
    assert standing_of(by_session) == Standing(token=3)
    by_session.without_login = True
    assert standing_of(by_session) == Standing(without_login=True)


def test_types_and_identifiers_are_written_one_a_line() -> None:
    assert types_of(" datasets \n\nusers\nusers\n") == ["datasets", "users"]
    assert types_of("*") == ["*"]
    said = identifiers_of("instrument = ID01, ID 02\nproposal=P1=x\ninstrument=ID01")
    assert said == {"instrument": ["ID01", "ID 02"], "proposal": ["P1=x"]}
    assert identifiers_of(text_of_identifiers(said)) == said
    assert identifiers_of(" * ") == {"*": ["*"]}


@pytest.mark.parametrize(
    "text", ["instrument", "=ID01", "instrument=", "*\ninstrument=ID01", "instrument=*", "*=ID01"]
)
def test_a_line_that_says_nothing_certain_is_refused(text: str) -> None:
    with pytest.raises(GrammarError):
        identifiers_of(text)


def test_every_type_beside_names_is_refused() -> None:
    with pytest.raises(GrammarError, match="alone"):
        types_of("*\ndatasets")


def test_sessions_that_have_ended_and_old_guesses_are_deleted() -> None:
    user = somebody()
    clients = [Client(), Client()]
    for client in clients:
        client.force_login(user)
    Session.objects.filter(session_key=clients[0].session.session_key).update(expire_date=timezone.now())
    Client().post("/login", {"username": "ada", "password": "wrong"})
    context: Any = SimpleNamespace(log=logging.getLogger())
    tidy(context)
    assert [one.session_key for one in Session.objects.all()] == [clients[1].session.session_key]
    assert AccessAttempt.objects.count() == 1
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(days=31))
    tidy(context)
    assert AccessAttempt.objects.count() == 0
