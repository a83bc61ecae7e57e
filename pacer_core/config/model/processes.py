"""What holds for PACER as a whole: ``processes:`` and ``plugins:`` of the file."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen


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
    """

    shutdown_grace: timedelta = timedelta(seconds=30)
    state_folder: str | None = None


@frozen
class PluginOptions:
    """Which plugins take part.

    Attributes
    ----------
    block
        Names of entry points to leave out, as ``pacer plugins list`` shows them.
    """

    block: tuple[str, ...] = ()
