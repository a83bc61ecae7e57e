"""From accounts, groups and tokens to a :class:`Viewer`: read from the database each time it is asked for.

Nothing is remembered between two requests, so that a role given or taken holds at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.utils import timezone

from pacer_dashboard.access.grammar import EVERY
from pacer_dashboard.models.access import Role, RoleGroup, RoleRule, SignedIn
from pacer_dashboard.models.tokens import Token
from pacer_dashboard.query.viewer import NOBODY, Right, Rule, Viewer

EVERYBODY = Viewer(name="everybody", everything=True)
"""Who looks where logins are switched off, on this machine alone."""

RIGHTS = {"view": Right.VIEW, "act": Right.ACT, "reingest": Right.REINGEST, "personal": Right.PERSONAL}


def rule_of(stored: RoleRule) -> Rule | None:
    """Give a stored rule as the query layer has it; None for one that gives nothing.

    A rule without a type, without identifiers (``*`` is written out), or without a right gives nothing,
    and so does one that was damaged: access is denied where it is not said.
    """
    types, identifiers = stored.types, stored.identifiers
    rights = frozenset(right for name, right in RIGHTS.items() if getattr(stored, name))
    if not _names(types) or not isinstance(identifiers, dict) or not identifiers or not rights:
        return None
    if not all(_names(values) for values in identifiers.values()):
        return None
    any_identifiers = EVERY in identifiers
    return Rule(
        types=None if EVERY in types else frozenset(types),
        identifiers={} if any_identifiers else {k: frozenset(v) for k, v in identifiers.items()},
        rights=rights,
    )


def viewer_of(user: AbstractBaseUser | AnonymousUser) -> Viewer:
    """Give what an account sees and may do now."""
    if not user.is_authenticated or user.pk is None:
        return NOBODY
    return viewers_of([user.pk]).get(user.pk, NOBODY)


def viewers_of(users: Iterable[int]) -> dict[int, Viewer]:
    """Give the viewer of each account that is there and active, in four queries however many they are."""
    asked = set(users)
    found = {user.pk: user for user in User.objects.filter(pk__in=asked, is_active=True)}
    roles = _roles_of(found)
    rules = _rules_of({role for one in roles.values() for role in one})
    return {
        pk: Viewer(
            name=user.get_username(),
            rules=tuple(rule for role in sorted(roles[pk]) for rule in rules[role][0]),
            everything=user.is_superuser or any(rules[role][1] for role in roles[pk]),
            account=pk,
        )
        for pk, user in found.items()
    }


def viewer_of_token(token: Token) -> Viewer:
    """Give what a token gives: its role, as long as its owner is active and has that role or administers."""
    owner: User = token.owner
    roles = _roles_of([owner.pk])[owner.pk]
    allowed = token.role_id in roles or owner.is_superuser
    if not owner.is_active or not (allowed or any(of[1] for of in _rules_of(roles).values())):
        return NOBODY
    rules, administers = _rules_of({token.role_id})[token.role_id]
    name = f"{owner.get_username()} ({token.name})"
    return Viewer(name, rules, everything=administers, account=owner.pk, token=token.pk)


def viewer_again(account: int | None, token: int | None, name: str) -> Viewer:
    """Give what somebody sees and may do now who has done something before, by what was written down then.

    It is nobody where the account is not there any more, or the token that was shown.
    """
    if account is None:
        return EVERYBODY if settings.PACER_WITHOUT_LOGIN and name == EVERYBODY.name else NOBODY
    if token is None:
        return viewers_of([account]).get(account, NOBODY)
    live = Token.objects.filter(pk=token, owner=account, expires__gt=timezone.now())
    shown = live.select_related("owner").first()
    return NOBODY if shown is None else viewer_of_token(shown)


def roles_of(user: User) -> list[Role]:
    """Give the roles that an account has, by itself and by its groups; all of them for a superuser."""
    if user.is_superuser:
        return list(Role.objects.all())
    return list(Role.objects.filter(pk__in=_roles_of([user.pk])[user.pk]))


def _roles_of(users: Iterable[int]) -> Mapping[int, set[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    pks = list(users)
    for user, role in Role.users.through.objects.filter(user_id__in=pks).values_list("user_id", "role_id"):
        found[user].add(role)
    claims = {
        user: {one for one in groups if isinstance(one, str)}
        for user, groups in SignedIn.objects.filter(user_id__in=pks).values_list("user_id", "groups")
        if isinstance(groups, list)
    }
    names = set().union(*claims.values())
    given: dict[str, set[int]] = defaultdict(set)
    for name, role in RoleGroup.objects.filter(name__in=names).values_list("name", "role_id"):
        given[name].add(role)
    for user, groups in claims.items():
        found[user].update(role for name in groups for role in given[name])
    return found


def _rules_of(roles: Iterable[int]) -> dict[int, tuple[tuple[Rule, ...], bool]]:
    """Give the rules of each role, and whether it administers."""
    stored = Role.objects.filter(pk__in=set(roles)).prefetch_related("rules")
    found = {role.pk: (_rules(role), role.administers) for role in stored}
    return defaultdict(lambda: ((), False), found)


def _rules(role: Role) -> tuple[Rule, ...]:
    return tuple(rule for one in role.rules.all() if (rule := rule_of(one)) is not None)


def _names(value: Any) -> bool:
    return bool(value) and isinstance(value, list) and all(isinstance(one, str) and one for one in value)
