"""A file and the installed plugins into a `Config`, or everything that is wrong with it in one run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import attrs

from pacer_core import plugins as plugins_module
from pacer_core.config.brokers import known
from pacer_core.config.brokers import structured as structured_brokers
from pacer_core.config.capabilities import check_transports
from pacer_core.config.document import Document, Path_
from pacer_core.config.key_spaces import key_spaces
from pacer_core.config.model import (
    Config,
    Consumer,
    ConsumerPlan,
    Exchange,
    Health,
    Integration,
    Logging,
    LogHandler,
    PluginOptions,
    Processes,
    Queue,
    Tracing,
)
from pacer_core.config.places import places, unwritable
from pacer_core.config.problems import Code, ConfigError, Problem
from pacer_core.config.reading import read
from pacer_core.config.references import check_references, type_and_instance
from pacer_core.config.sections import A_LIST, own_options, structure
from pacer_core.config.services import services
from pacer_core.model.consumers import ConsumerType, Task
from pacer_core.model.routes import Route
from pacer_core.model.secrets import Secret
from pacer_core.model.suggestions import hint
from pacer_core.pipeline.processing import Pipeline
from pacer_core.pipeline.task_order import TaskOrderError, in_order
from pacer_core.plugins import Plugins

T = TypeVar("T")

SECTIONS = (
    "brokers",
    "exchanges",
    "queues",
    "consumers",
    "keySpaces",
    "services",
    "integrations",
    "logging",
    "health",
    "tracing",
    "processes",
    "plugins",
)


def load(file: Path, sources: Mapping[str, str] | None = None) -> Config:
    """Read, structure and check a configuration.

    With ``sources``, those of a `Config`, what was read then is not read again: whatever has become of the
    files, this is the same configuration.

    Raises
    ------
    ConfigError
        With every problem of the file, where one of them is an error.
    """
    config, problems = check(file, sources)
    if config is None:
        raise ConfigError(problems)
    return config


def check(
    file: Path, sources: Mapping[str, str] | None = None, *, disk: bool = False
) -> tuple[Config | None, list[Problem]]:
    """Give the configuration, or ``None`` where it has errors, and all its problems in the file's order.

    With ``sources``, as `load`. With ``disk``, also whether PACER could write where it is to, if this account
    ran it.
    """
    document = read(file, sources)
    config = None
    if document.data:
        for key in document.data:
            if key not in SECTIONS:
                meant = hint(key, SECTIONS)
                document.report((key,), f"unknown key {key!r}{meant}", Code.UNKNOWN_KEY, key=True)
        options = _section(document, "plugins", PluginOptions) or PluginOptions()
        plugins = plugins_module.load(block=options.block)
        _check_blocks(document, options.block, plugins)
        for conflict in plugins.conflicts:
            document.report(("plugins",), conflict, Code.PLUGIN)
        check_references(document, plugins)
        check_transports(document, known(plugins), plugins.consumers)
        config = _build(document, plugins)
        for key, place in places(config) if disk else ():
            if why := unwritable(place):
                document.report(tuple(key.split(".")), f"{place} cannot be written: {why}", Code.BAD_VALUE)
    problems = sorted(set(document.problems))
    return (None if any(one.severity == "error" for one in problems) else config), problems


def _check_blocks(document: Document, names: tuple[str, ...], plugins: Plugins) -> None:
    known = [info.name for info in plugins.infos if info.name != "core"]
    for index, name in enumerate(names):
        if name not in known:
            meant = hint(name, known)
            document.report(
                ("plugins", "block", index),
                f"no plugin {name!r} is there to be blocked{meant}",
                Code.UNUSED,
                severity="warning",
            )


def _build(document: Document, plugins: Plugins) -> Config:
    """Structure every section; where an entry cannot be, its problems are noted and it is left out."""
    if "brokers" not in document.data:
        document.report((), "'brokers' is missing: it says where messages come from", Code.MISSING)
    if not document.data.get("consumers") and not document.data.get("services"):
        document.report(("consumers",), "'consumers' is missing: nothing would be read", Code.MISSING)
    broker, recipients = structured_brokers(document, plugins)
    exchanges = tuple(one for _, _, one in _list(document, "exchanges", Exchange) if one is not None)
    queues = tuple(one for _, _, one in _list(document, "queues", Queue) if one is not None)
    integrations = dict(_integrations(document, plugins))
    consumers = list(_list(document, "consumers", Consumer))
    types = {one.type for _, _, one in consumers if one is not None and one.enabled}
    plans = [
        _plan(document, plugins, path, item, consumer, integrations, types)
        for path, item, consumer in consumers
    ]
    to = [
        *(one.name or one.type for _, _, one in consumers if one is not None),
        *(one.name for one in queues),
    ]
    served = services(document, plugins, to)
    logging, log_handlers = _logging(document, plugins)
    return Config(
        file=document.file,
        broker=broker,
        recipients=recipients,
        routes=tuple(
            Route(rule.to_broker or recipient.name, rule.from_exchange, rule.with_routing_key)
            for recipient in recipients
            for rule in recipient.forwarding_rules
        ),
        exchanges=exchanges,
        queues=queues,
        consumers=tuple(plan for plan in plans if plan is not None and plan.config.enabled),
        disabled=tuple(plan for plan in plans if plan is not None and not plan.config.enabled),
        logging=logging,
        log_handlers=log_handlers,
        health=_section(document, "health", Health) or Health(),
        tracing=_section(document, "tracing", Tracing) or Tracing(),
        processes=_section(document, "processes", Processes) or Processes(),
        route_message=plugins.route_message,
        listeners=plugins.listeners,
        services=tuple(one for one in served if one.config.enabled),
        key_spaces=key_spaces(document, plans, queues),
        sources=document.sources,
    )


def _section(document: Document, name: str, cls: type[T]) -> T | None:
    data = document.data.get(name)
    return structure(document, (name,), {} if data is None else data, cls)


def _logging(document: Document, plugins: Plugins) -> tuple[Logging, tuple[LogHandler, ...]]:
    """Structure what the core knows of logging, and the options of each plugin's handler that is there."""
    data = document.data.get("logging")
    if not isinstance(data, dict):
        return _section(document, "logging", Logging) or Logging(), ()
    ours = {key: value for key, value in data.items() if key not in plugins.log_handlers}
    more = [
        LogHandler(type_, structure(document, ("logging", name), data[name] or {}, type_.options))
        for name, type_ in plugins.log_handlers.items()
        if name in data
    ]
    return structure(document, ("logging",), ours, Logging) or Logging(), tuple(more)


def _list(document: Document, section: str, cls: type[T]) -> Iterator[tuple[Path_, dict[str, Any], T | None]]:
    """Structure each entry by itself; one that cannot be is given as ``None``."""
    data = document.data.get(section)
    if data is not None and not isinstance(data, list):
        document.report((section,), f"{section!r} {A_LIST}", Code.WRONG_TYPE)
        return
    for index, item in enumerate(data or ()):
        one = structure(document, (section, index), item, cls)
        if isinstance(item, dict):
            yield (section, index), item, one


def _integrations(document: Document, plugins: Plugins) -> Iterator[tuple[str, Integration]]:
    data = document.data.get("integrations")
    for name, given in data.items() if isinstance(data, dict) else ():
        options = dict(given) if isinstance(given, dict) else given
        kind = options.pop("type", name) if isinstance(options, dict) else name
        type_ = plugins.integrations.get(kind.reveal() if isinstance(kind, Secret) else str(kind))
        if type_ is not None:
            structured = structure(
                document, ("integrations", name), {} if options is None else options, type_.options
            )
            if structured is not None:
                yield name, Integration(name, type_, structured)


def _plan(
    document: Document,
    plugins: Plugins,
    path: Path_,
    item: dict[str, Any],
    consumer: Consumer | None,
    integrations: Mapping[str, Integration],
    types: set[str],
) -> ConsumerPlan | None:
    """Make a consumer ready to run; its options are checked even where the rest of it is wrong."""
    given = item.get("type")
    type_ = plugins.consumers.get(given.reveal() if isinstance(given, Secret) else str(given))
    if type_ is None:
        return None
    options = own_options(document, path, item, f"consumer type {type_.name!r}", type_.options)
    task_options = dict(_task_options(document, path, item, type_))
    if consumer is None:
        return None
    enabled = {one.type.name: one for one in _enabled(consumer, integrations)}
    try:
        tasks = in_order(type_.tasks, lambda one: one.name in enabled, consumer.leave_out)
    except TaskOrderError as error:
        document.report((*path, "type"), str(error), Code.PLUGIN)
        return None
    if type_.key is not None and consumer.workers > 1:
        document.report(
            (*path, "workers"),
            f"'workers' should be 1: all messages of key space {type_.key.space!r} pass through one process; "
            f"raise 'concurrency' instead",
            Code.BAD_VALUE,
        )
    kinds = [type_and_instance(name)[0] for name in consumer.integrations]
    all_there = len(enabled) == len(consumer.integrations) and all(kind in (None, *enabled) for kind in kinds)
    missing = _check_tasks(document, path, consumer, type_, enabled) if all_there else 0
    if type_.tasks and not tasks and all_there and not missing:
        needed = ", ".join(sorted({one.name for task in type_.tasks for one in task.needs}))
        document.report(
            (*path, "type"),
            f"no task of {type_.name!r} would run: name one of these under 'integrations': {needed}",
            Code.BAD_VALUE,
        )
    name = consumer.name or consumer.type
    pipeline = Pipeline(
        consumer=name,
        type=type_,
        parse_message=plugins.parse_message,
        tasks=tasks,
        options=options,
        task_options=task_options,
        accepts=types.__contains__,
    )
    return ConsumerPlan(attrs.evolve(consumer, name=name), pipeline, enabled)


def _check_tasks(
    document: Document,
    path: Path_,
    consumer: Consumer,
    type_: ConsumerType,
    enabled: Mapping[str, Integration],
) -> int:
    """Note each task that the type cannot be without and that would not run, unless the file says so."""
    names = [one.name for one in type_.tasks]
    for index, name in enumerate(consumer.leave_out):
        if name not in names:
            what = f"consumer type {type_.name!r} has no task {name!r}{hint(name, names)}"
            document.report((*path, "leaveOut", index), what, Code.UNKNOWN_NAME)
    lacking: dict[str, list[str]] = {}
    for task in type_.tasks:
        missing = ", ".join(one.name for one in task.needs if one.name not in enabled)
        if missing and not task.optional and task.name not in consumer.leave_out:
            lacking.setdefault(missing, []).append(task.name)
    for missing, tasks in lacking.items():
        named = ", ".join(tasks)
        document.report(
            (*path, "integrations" if consumer.integrations else "type"),
            f"messages would be acknowledged without {named}: name {missing} under 'integrations', or write "
            f"leaveOut: [{named}]",
            Code.MISSING,
        )
    return len(lacking)


def _enabled(consumer: Consumer, integrations: Mapping[str, Integration]) -> Iterator[Integration]:
    for name in consumer.integrations:
        _, instance = type_and_instance(name)
        if instance is not None and instance in integrations:
            yield integrations[instance]


def _task_options(
    document: Document, path: Path_, item: dict[str, Any], type_: ConsumerType
) -> Iterator[tuple[str, Any]]:
    given = item.get("taskOptions")
    if given is not None and not isinstance(given, dict):
        document.report((*path, "taskOptions"), "'taskOptions' should be a mapping", Code.WRONG_TYPE)
    given = given if isinstance(given, dict) else {}
    tasks: dict[str, Task] = {task.name: task for task in type_.tasks if task.options is not None}
    for name in given:
        if name not in tasks:
            meant = hint(name, tasks)
            document.report(
                (*path, "taskOptions", name),
                f"no task {name!r} has options{meant}",
                Code.UNKNOWN_NAME,
                key=True,
            )
    for name, task in tasks.items():
        if task.options is not None:
            yield name, structure(document, (*path, "taskOptions", name), given.get(name) or {}, task.options)
