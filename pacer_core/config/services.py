"""The section ``services:``: its names checked, and its entries made ready to run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import evolve

from pacer_core.config.document import Document, Path_
from pacer_core.config.model.services import Service, ServicePlan
from pacer_core.config.problems import Code
from pacer_core.config.sections import A_LIST, own_options, structure
from pacer_core.model.secrets import Secret
from pacer_core.model.services import ServiceType
from pacer_core.model.suggestions import hint
from pacer_core.pipeline.unexpected import label
from pacer_core.plugins import Plugins


def services(document: Document, plugins: Plugins, to: list[str]) -> Iterator[ServicePlan]:
    """Give each service that is right, and note what is wrong with the others.

    ``to`` are the names of consumers and queues, to which services may publish.
    """
    data = document.data.get("services")
    if data is not None and not isinstance(data, list):
        document.report(("services",), f"'services' {A_LIST}", Code.WRONG_TYPE)
        return
    for index, item in enumerate(data or ()):
        path: Path_ = ("services", index)
        config = structure(document, path, item, Service)
        if isinstance(item, dict):
            yield from _plan(document, plugins, path, item, config, to)


def _plan(
    document: Document,
    plugins: Plugins,
    path: Path_,
    item: dict[str, Any],
    config: Service | None,
    to: list[str],
) -> Iterator[ServicePlan]:
    """Make one service ready; its options are checked even where the rest of it is wrong."""
    given = item.get("type")
    kind = given.reveal() if isinstance(given, Secret) else given
    type_ = plugins.services.get(kind) if isinstance(kind, str) else None
    if type_ is None:
        if isinstance(kind, str):
            why = plugins.why_unknown("service type", kind, plugins.services)
            document.report((*path, "type"), why, Code.UNKNOWN_NAME)
        return
    options = own_options(document, path, item, f"service type {type_.name!r}", type_.options)
    if config is None or (options is None and type_.options is not None):
        return
    destinations = _destinations(document, path, type_, options, to)
    named = evolve(config, name=config.name or config.type)
    yield ServicePlan(named, type_, options, destinations)


def _destinations(
    document: Document, path: Path_, type_: ServiceType, options: Any, to: list[str]
) -> tuple[str, ...]:
    """Ask a service what it publishes to, and note the names that nothing has."""
    try:
        names = () if type_.publishes is None else tuple(dict.fromkeys(type_.publishes(options)))
    except Exception as error:  # a plugin's mistake, of which its author is told
        document.report((*path, "type"), f"service type {type_.name!r} fails: {label(error)}", Code.PLUGIN)
        return ()
    for name in names:
        if name not in to:
            at = next(
                _texts(_item_of(document, path).get("options"), (*path, "options"), name), (*path, "type")
            )
            document.report(at, f"no consumer or queue {name!r}{hint(name, to)}", Code.UNKNOWN_NAME)
    return names


def _item_of(document: Document, path: Path_) -> dict[str, Any]:
    """Give the plain data of one service."""
    item = document.data["services"][path[1]]
    return item if isinstance(item, dict) else {}


def _texts(data: Any, path: Path_, text: str) -> Iterator[Path_]:
    """Give the places of plain data that hold a text."""
    if data == text:
        yield path
    elif isinstance(data, dict):
        for key, one in data.items():
            yield from _texts(one, (*path, key), text)
    elif isinstance(data, list):
        for index, one in enumerate(data):
            yield from _texts(one, (*path, index), text)
