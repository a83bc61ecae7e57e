"""What the installed plugins offer, and how each of them fared."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from pacer_core.model.consumers import ConsumerType
from pacer_core.model.errors import PluginError
from pacer_core.model.integrations import IntegrationType, LogHandlerType
from pacer_core.model.migrations import ConfigMigration
from pacer_core.model.notification import Listener
from pacer_core.model.services import ServiceType
from pacer_core.model.suggestions import did_you_mean
from pacer_core.model.transports import TransportType

if TYPE_CHECKING:
    import click


ACTIVE, BLOCKED, FAILED = "active", "blocked", "failed"


@frozen
class PluginInfo:
    """One plugin as it was found: what it is, whether it works, and what it registers."""

    name: str
    distribution: str
    version: str
    state: str
    error: str | None = None
    registers: Mapping[str, tuple[str, ...]] = field(factory=dict)
    """By kind, as ``consumers`` or ``transports``, with the names of the ``hooks`` at the end."""

    def __str__(self) -> str:
        return f"{self.name!r} ({self.distribution} {self.version})"


@frozen(eq=False)
class Plugins:
    """Everything that the installed plugins offer, and how each of them fared."""

    infos: tuple[PluginInfo, ...]
    consumers: Mapping[str, ConsumerType]
    integrations: Mapping[str, IntegrationType[Any]]
    log_handlers: Mapping[str, LogHandlerType]
    transports: Mapping[str, TransportType]
    """By protocol; those that the core speaks itself are not among them."""
    commands: tuple[click.Command, ...]
    conflicts: tuple[str, ...]
    parse_message: Callable[[Any, ConsumerType], Any]
    route_message: Callable[..., Any]
    leftovers: tuple[str, ...]
    """What an interrupted upgrade has left behind; pip passes over it, and so do we."""
    listeners: Mapping[str, Listener]
    """The ``pacer_message_settled`` of each plugin that has one."""
    services: Mapping[str, ServiceType] = field(factory=dict)
    migrations: Mapping[str, ConfigMigration] = field(factory=dict)
    """By the program whose configurations they read."""

    @property
    def failed(self) -> tuple[PluginInfo, ...]:
        """The plugins that could not be loaded, or broke while they registered."""
        return tuple(info for info in self.infos if info.state == FAILED)

    def check(self) -> None:
        """Refuse two plugins that offer the same name.

        Raises
        ------
        PluginError
            Naming both distributions, for every conflict.
        """
        if self.conflicts:
            raise PluginError("; ".join(self.conflicts))

    def why_unknown(self, kind: str, name: str, known: Iterable[str]) -> str:
        """Say why a name of the configuration is not known, with the plugins that failed to load."""
        names = sorted(known)
        hint = f"unknown {kind} {name!r}{did_you_mean(name, names)}; installed: {', '.join(names) or 'none'}"
        for info in self.failed:
            last = (info.error or "").strip().splitlines()[-1]
            place = re.findall(r'File "(.+)", line (\d+)', info.error or "")
            where = f" ({place[-1][0]}:{place[-1][1]})" if place else ""
            hint += f"; plugin {info} failed to load: {last}{where}"
        for info in self.infos:
            if info.state == BLOCKED:
                hint += f"; plugin {info} is blocked"
        return hint
