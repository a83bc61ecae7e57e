"""Entities and values as JSON."""

from collections.abc import Iterable, Mapping, Sequence
from zoneinfo import ZoneInfo

from attrs import frozen

from pacer_sandbox import times
from pacer_sandbox.errors import IcatError
from pacer_sandbox.schema import Entity, Schema

_FIRST = ("id", "createId", "createTime", "modId", "modTime")
_PLAIN = frozenset({"String", "Long", "Integer", "Double", "ParameterValueType"})


@frozen
class JsonWriter:
    """Turns what queries return into what ``orjson`` writes."""

    schema: Schema
    zone: ZoneInfo

    def rows(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[object]:
        """Return search results: values, or lists of values where several things are selected."""
        if len(columns) == 1:
            return [self.value(columns[0], row[0]) for row in rows]
        if sum(kind in self.schema for kind in columns):
            raise IcatError("INTERNAL", "class jakarta.ejb.EJBException null")
        return [[self.value(kind, v) for kind, v in zip(columns, row, strict=True)] for row in rows]

    def value(self, kind: str, value: object) -> object:
        """Return one selected thing: an entity under its name, or a value."""
        if value is None:
            return None
        if kind in self.schema:
            return {kind: self.record(self.schema[kind], value)}
        return self._attribute(kind, value)

    def record(self, entity: Entity, record: object) -> dict[str, object]:
        """Return an entity: nulls are left out, to-many relations are lists, empty if not included."""
        if not isinstance(record, Mapping):
            raise TypeError(f"{entity.name}: a record is expected")
        out: dict[str, object] = {name: self._attribute(entity[name].type, record[name]) for name in _FIRST}
        for f in entity.fields[5:]:
            value = record.get(f.name)
            if f.rel_type == "MANY":
                target = self.schema[f.type]
                out[f.name] = [self.record(target, item) for item in value] if isinstance(value, list) else []
            elif value is None:
                continue
            elif f.rel_type == "ONE":
                out[f.name] = self.record(self.schema[f.type], value)
            else:
                out[f.name] = self._attribute(f.type, value)
        return out

    def _attribute(self, kind: str, value: object) -> object:
        if kind == "Date" and isinstance(value, int):
            return times.to_json(value, self.zone)
        if kind == "boolean":
            return bool(value)
        if kind in _PLAIN:
            return value
        raise IcatError("INTERNAL", f"Don't know how to jsonise field of type {kind}")
