"""``pacer dashboard user``: accounts, roles and tokens from the command line."""

from __future__ import annotations

import getpass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from pacer_core import PacerError, say

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from pacer_dashboard.models.access import Role

RIGHTS = ("view", "act", "reingest", "personal")


class _WithAccounts(click.Command):
    """A command that finds the database opened; not so its help, nor a slip in what it is given."""

    def invoke(self, ctx: click.Context) -> Any:
        from pacer_dashboard.place import from_environment
        from pacer_dashboard.start import migrate, prepare

        place = from_environment()
        prepare(place)
        if place.folder is not None:
            migrate()  # as `serve` does, so that the first account can be made before it
        return super().invoke(ctx)


class _Accounts(click.Group):
    command_class = _WithAccounts


@click.group(cls=_Accounts)
def user() -> None:
    """Accounts, roles and tokens of the dashboard."""


@user.command()
@click.argument("name")
@click.option("--admin", is_flag=True, help="Sees and does everything, and changes roles and accounts.")
@click.option("--role", "roles", multiple=True, help="A role that it gets; repeatable.")
@click.option("--no-password", is_flag=True, help="Nobody can log in as it: for programs, with tokens.")
@click.password_option("--password", prompt=False, help="Asked for where it is left out.")
def add(name: str, admin: bool, roles: tuple[str, ...], no_password: bool, password: str | None) -> None:
    """Make an account; without a role it sees nothing."""
    from django.contrib.auth.models import User
    from django.db import IntegrityError, transaction

    _valid(name)
    given = [_role(one) for one in roles]
    chosen = None if no_password else _chosen(password, name)
    try:
        with transaction.atomic():
            made = User.objects.create_user(name, password=chosen, is_staff=admin, is_superuser=admin)
            made.dashboard_roles.set(given)
            _note("add", made)
    except IntegrityError as there:
        raise PacerError(f"there is an account {name!r} already: pacer dashboard user list") from there
    say(f"{name}: {'administrator' if admin else _roles_text(made)}")


@user.command("list")
def list_() -> None:
    """Show accounts with their roles, and roles with what they give."""
    from django.contrib.auth.models import User

    from pacer_dashboard.access.viewers import roles_of
    from pacer_dashboard.models.access import Role

    for one in User.objects.order_by("username"):
        state = "" if one.is_active else " (switched off)"
        kind = (
            "administrator"
            if one.is_superuser
            else ", ".join(role.name for role in roles_of(one)) or "no role"
        )
        say(f"{one.get_username()}{state}: {kind}")
    for role in Role.objects.prefetch_related("rules", "groups"):
        say(f"role {role.name}:{' administers' if role.administers else ''}")
        for rule in role.rules.all():
            say(f"  {rule}")
        for group in role.groups.all():
            say(f"  for the group {group}")


@user.command(short_help="Give an account a role, or take it away.")
@click.argument("name")
@click.argument("role", required=False)
@click.option("--take", is_flag=True, help="Take the role away.")
def role(name: str, role: str | None, take: bool) -> None:
    """Give an account a role, or take it; without a role, show what it has. It holds at once."""
    from django.db import transaction

    found = _user(name)
    if role is not None:
        given = _role(role)
        with transaction.atomic():
            (found.dashboard_roles.remove if take else found.dashboard_roles.add)(given)
            _note("take-role" if take else "give-role", found, given.name)
    say(f"{name}: {_roles_text(found)}")


@user.command(short_help="Make a role, or add a rule to one.")
@click.argument("name")
@click.option("--type", "types", multiple=True, help="A message type; repeatable; * for every one.")
@click.option(
    "--identifier", "identifiers", multiple=True, help="KEY=VALUE,VALUE that has to hold; * for any."
)
@click.option(
    "--right", "rights", multiple=True, type=click.Choice(RIGHTS), help="Repeatable; view if left out."
)
@click.option(
    "--group", "groups", multiple=True, help="A group of the sign-in service that gets it; repeatable."
)
@click.option("--administers", is_flag=True, help="Who has it sees and does everything.")
def define(
    name: str,
    types: tuple[str, ...],
    identifiers: tuple[str, ...],
    rights: tuple[str, ...],
    groups: tuple[str, ...],
    administers: bool,
) -> None:
    """Make a role, or add a rule to one: rights over messages of types that have identifiers."""
    from django.db import transaction

    from pacer_dashboard.access.grammar import GrammarError, group_name, identifiers_of, types_of
    from pacer_dashboard.models.access import Role, RoleRule

    try:
        said_types, said_identifiers = types_of("\n".join(types)), identifiers_of("\n".join(identifiers))
    except GrammarError as wrong:
        raise PacerError(str(wrong)) from wrong
    if bool(said_types) != bool(said_identifiers):
        raise PacerError("a rule needs --type and --identifier; write '*' for every type, or any identifiers")
    with transaction.atomic():
        found, _ = Role.objects.get_or_create(name=name)
        if administers:
            found.administers = True
            found.save()
        if said_types:
            chosen = {right: right in (rights or ("view",)) for right in RIGHTS}
            RoleRule.objects.create(role=found, types=said_types, identifiers=said_identifiers, **chosen)
        for group in groups:
            found.groups.get_or_create(name=group_name(group))
        _note("change", found)
    for rule in found.rules.all():
        say(f"{name}: {rule}")


@user.command()
@click.argument("name")
@click.password_option("--password", prompt=False, help="Asked for where it is left out.")
def password(name: str, password: str | None) -> None:
    """Set an account's password; its sessions end."""
    from django.db import transaction

    found = _user(name)
    found.set_password(_chosen(password, name))
    with transaction.atomic():
        found.save(update_fields=["password"])
        _note("password", found)
    say(f"{name}: the password is set")


@user.command(short_help="Make a token for the API, and print it once.")
@click.argument("name")
@click.option("--role", required=True, help="The role whose rules the token has; the account needs it too.")
@click.option("--called", default="command line", show_default=True, help="By what its owner knows it.")
@click.option("--days", default=90, show_default=True, help="For how long it lasts.")
def token(name: str, role: str, called: str, days: int) -> None:
    """Make a token for the API and print it; it is not stored, and cannot be shown again."""
    from django.db import transaction

    from pacer_dashboard.access.tokens import make_token
    from pacer_dashboard.access.viewers import roles_of

    found, given = _user(name), _role(role)
    if given not in roles_of(found):
        raise PacerError(f"{name} does not have the role {role!r}: pacer dashboard user role {name} {role!r}")
    try:
        with transaction.atomic():
            made, text = make_token(found, given, called, timedelta(days=days))
            _note("add", made)
    except (ValueError, OverflowError) as wrong:
        raise PacerError(str(wrong)) from wrong
    say(text)


def _user(name: str) -> User:
    from django.contrib.auth.models import User

    found = User.objects.filter(username=name).first()
    if found is None:
        raise PacerError(f"there is no account {name!r}: pacer dashboard user list")
    return found


def _role(name: str) -> Role:
    from pacer_dashboard.models.access import Role

    found = Role.objects.filter(name=name).first()
    if found is None:
        raise PacerError(f"there is no role {name!r}: pacer dashboard user list, or define one")
    return found


def _roles_text(user: User) -> str:
    from pacer_dashboard.access.viewers import roles_of

    return ", ".join(role.name for role in roles_of(user)) or "no role, so it sees nothing"


def _chosen(password: str | None, name: str) -> str:
    """Give a password that is hard enough to guess, asked for where none was given."""
    from django.contrib.auth.models import User
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError

    chosen = password or click.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        validate_password(chosen, User(username=name))
    except ValidationError as wrong:
        raise PacerError(" ".join(wrong.messages)) from wrong
    return str(chosen)


def _valid(name: str) -> None:
    """Refuse a name that the login page would refuse: others are those of programs in the audit log."""
    from django.contrib.auth.models import User
    from django.core.exceptions import ValidationError

    try:
        User(username=name).clean_fields(exclude=["password"])
    except ValidationError as wrong:
        raise PacerError(" ".join(wrong.messages)) from wrong


def _note(what: str, about: object, details: str = "") -> None:
    from pacer_dashboard.access.audited import note

    note(f"{getpass.getuser()} on the command line", what, about, details)
