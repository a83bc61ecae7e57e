"""A JSON Schema of what a configuration may say, with the installed plugins: for editors.

It knows keys, types and choices. What `check` knows besides, names that refer to each other above all, no
schema can say; whatever `check` accepts, the schema accepts.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs

from pacer_core.config import model
from pacer_core.config.sections import AnyPort, Factor, Natural, Port, Positive, Timeout, camel
from pacer_core.model.secrets import Secret
from pacer_core.plugins import Plugins

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Schema = {"type": "string"}
_WHOLE = "integer"
_DURATION: Schema = {
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*(ms|s|min|h|d)\s*$"},
    ]
}
_SCALARS: Mapping[Any, Schema] = {
    str: _TEXT,
    Secret: _TEXT,
    int: {"type": _WHOLE},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    timedelta: _DURATION,
    Timeout: _DURATION,
    Positive: {"type": _WHOLE, "minimum": 1},
    Natural: {"type": _WHOLE, "minimum": 0},
    Port: {"type": _WHOLE, "minimum": 1, "maximum": 65_535},
    AnyPort: {"type": _WHOLE, "minimum": 0, "maximum": 65_535},
    Factor: {"type": "number", "minimum": 1},
    Any: {},
}


def schema(plugins: Plugins) -> Schema:
    """Give the schema of a whole configuration."""
    logging = of(model.Logging)
    for name, handler in plugins.log_handlers.items():
        logging["properties"][name] = _or_nothing(of(handler.options))
    return {
        "$schema": DIALECT,
        "title": "PACER",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "brokers": _brokers(plugins),
            "exchanges": _list(of(model.Exchange)),
            "queues": _list(of(model.Queue)),
            "consumers": _list(_consumer(plugins)),
            "services": _list(_service(plugins)),
            "integrations": _integrations(plugins),
            "logging": logging,
            "health": of(model.Health),
            "tracing": of(model.Tracing),
            "processes": of(model.Processes),
            "plugins": of(model.PluginOptions),
        },
    }


def of(cls: type, **more: Schema) -> Schema:
    """Give the schema of an options class, with further properties."""
    hints, words = get_type_hints(cls), words_of(cls)
    properties: dict[str, Schema] = {}
    needed = []
    for attribute in attrs.fields(cls):
        key = camel(attribute.name)
        properties[key] = _typed(hints[attribute.name])
        if attribute.name in words:
            properties[key] = {**properties[key], "description": words[attribute.name]}
        if attribute.default is attrs.NOTHING:
            needed.append(key)
    made: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {**properties, **more},
        "description": _first(inspect.cleandoc(cls.__doc__ or "")),
    }
    return {**made, "required": needed} if needed else made


def _typed(hint: Any) -> Schema:
    if hint in _SCALARS:
        return dict(_SCALARS[hint])
    if (plain := getattr(hint, "__supertype__", None)) is not None:  # another NewType
        return _typed(plain)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, UnionType):
        return {"anyOf": [{"type": "null"} if one is type(None) else _typed(one) for one in arguments]}
    if origin in (tuple, list):
        return {"type": "array", "items": _typed(arguments[0])}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": _typed(arguments[1])}
    if isinstance(hint, type) and attrs.has(hint):
        return of(hint)
    return {}


def _list(items: Schema) -> Schema:
    return {"type": ["array", "null"], "items": items}


def _or_nothing(one: Schema) -> Schema:
    return {**one, "type": ["object", "null"]} if not one.get("required") else one


def _brokers(plugins: Plugins) -> Schema:
    transports = [model.AMQP, *dict.fromkeys(plugins.transports.values())]

    def broker(own: type) -> Schema:
        base = of(own)
        # What one kind of broker knows and another does not is a warning at most: all keys are known here.
        keys: dict[str, Schema] = {}
        for transport in transports:
            for key, value in of(transport.options)["properties"].items():
                keys[key] = value if keys.get(key, value) == value else {}
        names = [name for transport in transports for name in transport.protocols]
        protocol = {**base["properties"]["protocol"], "enum": names}
        base["properties"] = {**keys, **base["properties"], "protocol": protocol}
        return base

    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {"main": broker(model.Main), "recipients": _list(broker(model.Other))},
    }


def _consumer(plugins: Plugins) -> Schema:
    base = of(model.Consumer)
    base["properties"]["type"] |= {"enum": sorted(plugins.consumers)}
    base["allOf"] = [
        _if_type(
            name,
            options=None if one.options is None else of(one.options),
            taskOptions={
                "type": "object",
                "additionalProperties": False,
                "properties": {task.name: of(task.options) for task in one.tasks if task.options is not None},
            },
        )
        for name, one in sorted(plugins.consumers.items())
    ]
    return base


def _service(plugins: Plugins) -> Schema:
    base = of(model.Service)
    base["properties"]["type"] |= {"enum": sorted(plugins.services)}
    base["allOf"] = [
        _if_type(name, options=None if one.options is None else of(one.options))
        for name, one in sorted(plugins.services.items())
    ]
    return base


def _if_type(name: str, **properties: Schema | None) -> Schema:
    """Say what the options of one type are."""
    known = {key: value for key, value in properties.items() if value is not None}
    return {
        "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
        "then": {"properties": known},
    }


def _integrations(plugins: Plugins) -> Schema:
    found = {name: of(one.options, type=_TEXT) for name, one in sorted(plugins.integrations.items())}
    return {
        "type": "object",
        "properties": {name: {**one, "type": ["object", "null"]} for name, one in found.items()},
        "additionalProperties": {
            "type": "object",
            "required": ["type"],
            "properties": {"type": {"enum": list(found)}},
        },
    }


def words_of(cls: type) -> dict[str, str]:
    """Give what the section ``Attributes`` of a class's docstring says of each."""
    _, _, listed = inspect.cleandoc(cls.__doc__ or "").partition("\nAttributes\n----------\n")
    words = {name: said for base in cls.__bases__ if attrs.has(base) for name, said in words_of(base).items()}
    for names, said in re.findall(r"^(\S.*)\n((?:    .*\n?|\n)+)", listed, re.MULTILINE):
        words |= dict.fromkeys(_split(names), " ".join(said.replace("``", "`").split()))
    return words


def _split(names: str) -> Iterable[str]:
    return (one.strip() for one in names.split(","))


def _first(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].replace("``", "`").split())
