"""The task that keeps a user's accounts in ICAT, and the consumer type."""

from __future__ import annotations

from pacer_core import ConsumerType, Context, Key, Planned, task
from pacer_icat.integration import ICAT
from pacer_icat.signals import refusals_settled
from pacer_icat.users.message import User, describe
from pacer_icat.users.options import UsersOptions
from pacer_icat.users.plan import plan
from pacer_icat.users.store import foresee, store


def foresee_user(user: User, ctx: Context) -> list[Planned]:
    """Say what `store_user` would do."""
    icat = ctx[ICAT].shared
    options: UsersOptions = ctx.options
    with refusals_settled():
        return list(foresee(plan(user, options, icat), options, icat))


@task(needs=[ICAT], plan=foresee_user)
def store_user(user: User, ctx: Context) -> None:
    """Write a person's accounts into ICAT; the same message twice is one."""
    icat = ctx[ICAT].shared
    options: UsersOptions = ctx.options
    with refusals_settled():
        store(plan(user, options, icat), options, icat)


def _key(user: User, _: Context) -> str:
    return str(user.id)


USERS = ConsumerType(
    name="users",
    message=User,
    tasks=[store_user],
    options=UsersOptions,
    # In order: "disable" must not overtake "update".
    key=Key("user", of=_key, ordered=True),
    describe=describe,
)
