"""The integration ``icat``: how the core opens, checks and judges it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from pacer_core import IntegrationType, Seen, Use
from pacer_icat.client import IcatClient, Shared, share
from pacer_icat.faults import IcatAway
from pacer_icat.options import IcatOptions


@contextmanager
def open_client(options: IcatOptions, shared: Shared) -> Iterator[IcatClient]:
    """Give one thread its client; asks ICAT nothing until a task does."""
    yield IcatClient(shared)


def check(client: IcatClient) -> None:
    """Ask ICAT for something harmless that needs a login.

    Raises
    ------
    IcatAway
        Where it is away, or refuses the account.
    """
    client.shared.wire.remaining_minutes()


def look_around(client: IcatClient, uses: Sequence[Use]) -> Iterable[Seen]:
    """Look at what the options and the consumers name, and at the account's rights."""
    # Imported here: `pacer doctor` alone needs it.
    from pacer_icat.examine import examine

    return examine(client, uses)


def is_away(error: BaseException) -> bool:
    """Tell whether an error says that ICAT is away, rather than that a message is bad."""
    return isinstance(error, IcatAway)


ICAT: IntegrationType[IcatClient] = IntegrationType(
    name="icat",
    options=IcatOptions,
    open=open_client,
    per="thread",
    share=share,
    check=check,
    examine=look_around,
    is_away=is_away,
)
"""``ctx[ICAT]`` is the `IcatClient` of the thread."""
