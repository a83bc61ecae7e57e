"""Every installed plugin loaded, and what it registers collected: the only door to pluggy's manager."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, TypeVar, runtime_checkable

import pluggy
from attrs import evolve

import pacer_core
from pacer_core import core_plugin, hookspecs
from pacer_core.model.consumers import ConsumerType, Task
from pacer_core.model.integrations import IntegrationType, LogHandlerType
from pacer_core.model.migrations import ConfigMigration
from pacer_core.model.notification import Listener, heard_by
from pacer_core.model.secrets import redact
from pacer_core.model.services import ServiceType
from pacer_core.model.transports import CORE_PROTOCOLS, TransportType
from pacer_core.plugins import versions
from pacer_core.plugins.checks import check_message, check_transport
from pacer_core.plugins.found import ACTIVE, BLOCKED, FAILED, PluginInfo, Plugins


@runtime_checkable
class _Named(Protocol):
    @property
    def name(self) -> str | None: ...


T = TypeVar("T", bound=_Named)

FAILURES = (Exception, SystemExit)  # a module that ends its interpreter must not end ours
CORE_COMMANDS = (
    *("init", "run", "send", "status", "trace", "doctor", "plan"),
    *("plugins list", "plugins show", "plugins new"),
    *("config check", "config migrate", "config show", "config schema", "config graph"),
    *("partitions show", "partitions drain", "partitions change"),
    *("waiting list", "waiting show", "waiting now", "waiting discard"),
    *("dead list", "dead show", "dead replay", "dead export", "dead discard"),
)
"""The commands that no plugin can replace."""


def load(block: Iterable[str] = (), found: Iterable[EntryPoint] | None = None) -> Plugins:
    """Load every installed plugin but the blocked ones, and collect what they register.

    A plugin that fails, at import or in a hook of start-up, is reported and left out; the others work on.

    Parameters
    ----------
    block
        Names of entry points to leave out.
    found
        The entry points; those of the group ``pacer`` by default.
    """
    if found is None:
        mixed = versions.mixed(versions.distributions())
        return _Loader(frozenset(block), entry_points(group=versions.GROUP), mixed).load()
    return _Loader(frozenset(block), found, ()).load()


class _Loader:
    """Holds what is needed while plugins are being loaded, and nothing after that."""

    def __init__(self, block: frozenset[str], found: Iterable[EntryPoint], conflicts: Iterable[str]) -> None:
        self.manager = pluggy.PluginManager(hookspecs.PROJECT)
        self.manager.add_hookspecs(hookspecs)
        self.block = block
        self.found = sorted(found, key=lambda point: point.name)
        self.infos: dict[str, PluginInfo] = {}
        self.owners: dict[tuple[str, str], str] = {}
        self.conflicts = list(conflicts)
        self.leftovers: set[str] = set()

    def load(self) -> Plugins:
        self.owners.update({("commands", label): "core" for label in CORE_COMMANDS})
        self.owners.update({("transports", label): "core" for label in CORE_PROTOCOLS})
        self.infos["core"] = PluginInfo("core", "pacer-core", pacer_core.__version__, ACTIVE)
        self.manager.register(core_plugin, "core")
        self._import()
        self._check_hooks()
        consumers = self._collect("consumers", "pacer_consumers", ConsumerType)
        integrations = self._collect("integrations", "pacer_integrations", IntegrationType)
        log_handlers = self._collect("log handlers", "pacer_log_handlers", LogHandlerType)
        self._register("core", "transports", CORE_PROTOCOLS)
        transports = self._transports()
        services = self._collect("services", "pacer_services", ServiceType)
        migrations = self._collect("migrations", "pacer_config_migrations", ConfigMigration)
        commands = self._commands()
        more = {name: self._more_tasks(consumer) for name, consumer in consumers.items()}
        # A plugin may have broken after it had registered the first of these.
        working = {key for key, owner in self.owners.items() if self._works(owner)}
        for name, info in self.infos.items():
            if info.state == ACTIVE:
                hooks = [
                    one.name for one in self.manager.get_hookcallers(self.manager.get_plugin(name)) or ()
                ]
                self._register(name, "hooks", sorted(hooks))
        return Plugins(
            infos=tuple(self.infos.values()),
            consumers={
                name: one.with_tasks(task for plugin, task in more[name] if self._works(plugin))
                for name, one in consumers.items()
                if ("consumers", name) in working
            },
            integrations={
                name: one for name, one in integrations.items() if ("integrations", name) in working
            },
            log_handlers={
                name: one for name, one in log_handlers.items() if ("log handlers", name) in working
            },
            transports={name: one for name, one in transports.items() if ("transports", name) in working},
            commands=tuple(command for plugin, command in commands if self._works(plugin)),
            conflicts=tuple(self.conflicts),
            leftovers=tuple(sorted(self.leftovers)),
            parse_message=_parser(self.manager.hook.pacer_parse_message),
            route_message=_router(self.manager.hook.pacer_route_message),
            listeners={
                name: Listener(
                    self._alone("pacer_message_settled", name), heard_by(self.manager.get_plugin(name))
                )
                for name, info in self.infos.items()
                if "pacer_message_settled" in info.registers.get("hooks", ())
            },
            services={name: one for name, one in services.items() if ("services", name) in working},
            migrations={name: one for name, one in migrations.items() if ("migrations", name) in working},
        )

    def _import(self) -> None:
        loaded: list[tuple[str, Any]] = []
        for point in self.found:
            if left := _leftover(point):
                self.leftovers.add(left)
                continue
            info = PluginInfo(
                point.name,
                point.dist.name if point.dist else "unknown",
                point.dist.version if point.dist else "unknown",
                BLOCKED if point.name in self.block else ACTIVE,
            )
            if point.name in self.infos:
                first = self.infos[point.name]
                self.conflicts.append(
                    f"plugin name {point.name!r} is used by {first.distribution} and by {info.distribution}: "
                    f"uninstall one of them"
                )
                continue
            self.infos[point.name] = info
            if info.state == BLOCKED:
                continue
            try:
                loaded.append((point.name, point.load()))
            except FAILURES as error:
                self._fail(point.name, error)
        # pluggy asks the last plugin first: registered backwards, they are asked in the order of their names.
        for name, module in reversed(loaded):
            try:
                self.manager.register(module, name)
            except Exception as error:
                self._fail(name, error)

    def _check_hooks(self) -> None:
        """Turn a hook that does not exist, a misspelt one, into a failure of the plugin that has it."""
        while True:
            try:
                self.manager.check_pending()
            except pluggy.PluginValidationError as error:
                name = self.manager.get_name(error.plugin)
                if name is None:
                    raise
                self._fail(name, error)
            else:
                return

    def _collect(self, kind: str, hook: str, cls: type[T]) -> dict[str, T]:
        collected: dict[str, T] = {}
        for name, items in self._ask(hook, cls):
            for item in items:
                label = str(item.name)
                if self._own(kind, label, name):
                    collected[label] = item
            self._register(name, kind, [str(item.name) for item in items])
        return collected

    def _transports(self) -> dict[str, TransportType]:
        collected: dict[str, TransportType] = {}
        for name, items in self._ask("pacer_transports", TransportType):
            for item in items:
                collected |= {label: item for label in item.protocols if self._own("transports", label, name)}
            self._register(name, "transports", [label for item in items for label in item.protocols])
        return collected

    def _commands(self) -> list[tuple[str, Any]]:
        commands: list[tuple[str, Any]] = []
        for name, items in self._ask("pacer_commands", _Named):
            for item in items:
                labels = list(_labels(item))
                free = [self._own("commands", label, name) for label in labels]
                if all(free):
                    commands.append((name, item))
                self._register(name, "commands", labels)
        return commands

    def _more_tasks(self, consumer: ConsumerType) -> list[tuple[str, Task]]:
        """Give the tasks that plugins add to a consumer type, each with its plugin."""
        more: list[tuple[str, Task]] = []
        for task in consumer.tasks:
            self.owners[(f"tasks of {consumer.name}", task.name)] = self.owners[("consumers", consumer.name)]
        for name, items in self._ask("pacer_tasks", Task, consumer=consumer.name):
            more += [(name, one) for one in items if self._own(f"tasks of {consumer.name}", one.name, name)]
            self._register(name, "tasks", [f"{consumer.name}.{task.name}" for task in items])
        return more

    def _ask(self, hook: str, cls: Any, **arguments: Any) -> Iterable[tuple[str, list[Any]]]:
        """Call one hook of each plugin by itself, so that a failure has an owner."""
        for name in [name for name, info in self.infos.items() if info.state == ACTIVE]:
            caller = self._alone(hook, name)
            try:
                items = [item for result in caller(**arguments) for item in result or ()]
                for item in items:
                    if not isinstance(item, cls):
                        raise TypeError(f"{hook} gave {type(item).__name__}, not {cls.__name__}")
                    if isinstance(item, ConsumerType):
                        check_message(item)
                    if isinstance(item, TransportType):
                        check_transport(item)
            except FAILURES as error:
                self._fail(name, error)
            else:
                if items:
                    yield name, items

    def _alone(self, hook: str, name: str) -> Callable[..., Any]:
        """Give a hook as one plugin implements it."""
        one = self.manager.get_plugin(name)
        others = [plugin for plugin in self.manager.get_plugins() if plugin is not one]
        return self.manager.subset_hook_caller(hook, others)

    def _own(self, kind: str, label: str, plugin: str) -> bool:
        owner = self.owners.get((kind, label))
        if owner is None:
            self.owners[(kind, label)] = plugin
            return True
        first, second = self.infos[owner], self.infos[plugin]
        self.conflicts.append(
            f"{label!r} ({kind}) is registered by {first.distribution} {first.version} and by "
            f"{second.distribution} {second.version}: block one of the plugins {owner!r} and {plugin!r}"
        )
        return False

    def _works(self, name: str) -> bool:
        return self.infos[name].state == ACTIVE

    def _register(self, name: str, kind: str, labels: Iterable[str]) -> None:
        info = self.infos[name]
        names = dict(info.registers)
        names[kind] = (*names.get(kind, ()), *labels)
        self.infos[name] = evolve(info, registers=names)

    def _fail(self, name: str, error: BaseException) -> None:
        self.infos[name] = evolve(
            self.infos[name],
            state=FAILED,
            registers={},
            error=redact("".join(traceback.format_exception(error, limit=-3))),
        )
        plugin = self.manager.get_plugin(name)
        if plugin is not None:
            self.manager.unregister(plugin, name)


def _leftover(point: EntryPoint) -> str | None:
    """Give the folder of a distribution that pip has renamed in order to delete it: ``~acer_icat-0.1``."""
    folder = getattr(point.dist, "_path", None)  # no other name tells two of one distribution apart
    return str(folder) if folder is not None and folder.name.startswith(("~", "-")) else None


def _labels(command: Any) -> Iterator[str]:
    """Name a command, or each command of a group: groups may be shared, what is in them may not."""
    children = getattr(command, "commands", None)
    if children is None:
        yield str(command.name)
    for child in (children or {}).values():
        yield from (f"{command.name} {label}" for label in _labels(child))


def _parser(hook: pluggy.HookCaller) -> Callable[[Any, ConsumerType], Any]:
    """Give what parses a message: the hook, or the core's function where no other is behind it."""
    only = _only(hook, "envelope", "consumer")
    return only or (lambda envelope, consumer: hook(envelope=envelope, consumer=consumer))


def _router(hook: pluggy.HookCaller) -> Callable[..., Any]:
    """Give what picks a message's routes: the hook, or the core's function where no other is behind it."""
    return _only(hook, "message", "envelope", "routes") or hook


def _only(hook: pluggy.HookCaller, *arguments: str) -> Callable[..., Any] | None:
    """Give the function that is alone behind a hook and takes all its arguments, in this order."""
    implementations = hook.get_hookimpls()
    return implementations[0].function if [one.argnames for one in implementations] == [arguments] else None
