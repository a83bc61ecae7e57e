"""Accounts of people who sign in at the provider."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from pacer_dashboard.access.sign_in import SignInError, groups_in
from pacer_dashboard.models.access import SignedIn

_LONGEST = 150
"""Characters of a user name, as Django has it."""


def account_of(claims: Mapping[str, Any], groups_claim: str) -> User:
    """Give the account of who signed in, made at the first time, with the groups that the claims name now.

    It is found by issuer and subject alone (OpenID Connect Core 1.0, 5.7): a local account of the same name
    stays what it is, and whoever gets an address that somebody else had does not become them.

    Raises
    ------
    SignInError
        Where the account is switched off.
    """
    issuer, subject = str(claims["iss"]), str(claims["sub"])
    groups = groups_in(claims, groups_claim)
    with transaction.atomic():
        known = SignedIn.objects.select_related("user").filter(issuer=issuer, subject=subject).first()
        if known is None:
            known = _made(issuer, subject, claims)
        known.groups = groups
        known.save()
        user: User = known.user
        if not user.is_active:
            raise SignInError("this account is switched off: ask who administers the dashboard")
        user.email = _text(claims, "email")[:254]
        user.first_name, user.last_name = _text(claims, "given_name"), _text(claims, "family_name")
        user.save(update_fields=["email", "first_name", "last_name"])
    return user


def _made(issuer: str, subject: str, claims: Mapping[str, Any]) -> SignedIn:
    wanted = _text(claims, "preferred_username") or _text(claims, "name") or "somebody"
    base = re.sub(r"[^\w.@+-]", "-", wanted)[: _LONGEST - 8]
    for number in range(1, 1000):
        name = base if number == 1 else f"{base}-{number}"
        try:
            with transaction.atomic():
                user = User.objects.create_user(name)  # its password is one that fits nothing
                return SignedIn.objects.create(user=user, issuer=issuer, subject=subject)
        except IntegrityError:
            other = SignedIn.objects.select_related("user").filter(issuer=issuer, subject=subject).first()
            if other is not None:  # the same person in another window was faster
                return other
    raise SignInError("there are too many accounts of this name: ask who administers the dashboard")


def _text(claims: Mapping[str, Any], name: str) -> str:
    said = claims.get(name)
    return said.replace("\0", "")[:_LONGEST] if isinstance(said, str) else ""
