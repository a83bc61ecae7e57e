"""What holds for PACER as a whole: ``processes:`` and ``plugins:`` of the file."""

from __future__ import annotations

from datetime import timedelta

from attrs import Attribute, field, frozen

from pacer_core.model.secrets import Secret

_LEAST = 16


def _long_enough(_: Processes, __: Attribute[tuple[Secret, ...]], value: tuple[Secret, ...]) -> None:
    if any(len(one.reveal()) < _LEAST for one in value):
        raise ValueError(
            f"a key should have {_LEAST} characters or more: `openssl rand -base64 32` makes one"
        )


@frozen
class Processes:
    """How processes end, and where they keep what has to outlive them.

    Attributes
    ----------
    shutdown_grace
        How long what is in hand may take to finish after SIGTERM; what does not goes back to its queue.
    state_folder
        Where crashes are counted, and plugins keep what waits; on a local disk, by default a folder of its
        own below ``$XDG_STATE_HOME/pacer``.
    signing_keys
        What PACER signs the copies with that it publishes for itself, each of 16 characters or more: the
        first one signs, and what any of them has signed is believed. The same on all hosts that share queues;
        by default one key derived from the broker's account, which they share anyhow.
    accept_unsigned
        Whether copies without a signature are believed: of releases before signatures. Whoever may write to a
        queue can write such, so this is for the hours of an upgrade alone.
    """

    shutdown_grace: timedelta = timedelta(seconds=30)
    state_folder: str | None = None
    signing_keys: tuple[Secret, ...] = field(default=(), validator=_long_enough)
    accept_unsigned: bool = False


@frozen
class PluginOptions:
    """Which plugins take part.

    Attributes
    ----------
    block
        Names of entry points to leave out, as ``pacer plugins list`` shows them.
    """

    block: tuple[str, ...] = ()
