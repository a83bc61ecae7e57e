"""Fill a catalogue from a dump, as python-icat's ``icatdump`` writes it, in XML or in YAML.

The format: https://python-icat.readthedocs.io/en/stable/file-icatdata.html
"""

import time
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from importlib.resources import files
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from lxml import etree

from pacer_sandbox import inserts
from pacer_sandbox.beans import Bean
from pacer_sandbox.catalogue import Catalogue
from pacer_sandbox.inserts import FlushError
from pacer_sandbox.lexical import Value, read
from pacer_sandbox.schema import Entity, Field, Schema

DEMO = "demo"
"""The name of the facility that the sandbox comes with."""

Object = tuple[Entity, str, Any]
"""An entity, the key by which the dump refers to the object, and its content in the dump's own form."""


class SeedError(ValueError):
    """A dump that cannot be read, or whose objects do not fit together."""


def seed(catalogue: Catalogue, source: str | Path, user: str = "simple/root") -> int:
    """Store all objects of a dump (a path, or ``demo``), all or none; return how many top objects.

    Raises SeedError with the object's place in the dump.
    """
    if source == DEMO:
        content, name = files("pacer_sandbox").joinpath("demo.xml").read_bytes(), "demo.xml"
    else:
        content, name = Path(source).read_bytes(), str(source)
    is_xml = content.lstrip()[:1] == b"<"
    with catalogue.store.transaction() as connection:
        reader = _Reader(catalogue, connection, name)
        stamp = (user, int(time.time()))
        count = 0
        for entity, key, told in (
            _xml(content, name, catalogue) if is_xml else _yaml(content, name, catalogue)
        ):
            bean = reader.xml(entity, told, key) if is_xml else reader.yaml(entity, told, key)
            if bean is None:
                continue
            _complete(bean)
            try:
                inserts.insert(connection, [bean], catalogue.store.new_id, stamp, catalogue.zone)
            except FlushError as exc:
                raise SeedError(f"{name}: {key}: {exc}") from exc
            reader.index[key] = (entity, bean.id or 0)
            count += 1
    return count


def _complete(bean: Bean) -> None:
    """Give text that must not be null back its emptiness: icatdump leaves empty text out."""
    for column in bean.entity.columns[5:]:
        if column.not_null and column.type == "String":
            bean.values.setdefault(column.name, "")
    for children in bean.manies.values():
        for child in children:
            _complete(child)


def _xml(content: bytes, name: str, catalogue: Catalogue) -> Iterator[Object]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as exc:
        raise SeedError(f"{name}: {exc}") from exc
    for element in root.iterfind("data/*"):
        bean = element.tag.removesuffix("Ref")
        entity = catalogue.schema.by_bean.get(bean)
        if entity is None:
            raise SeedError(f"{name}:{element.sourceline}: {element.tag} is no entity")
        yield entity, element.get("id") or f"line {element.sourceline}", element


def _yaml(content: bytes, name: str, catalogue: Catalogue) -> Iterator[Object]:
    from ruamel.yaml import YAML  # here, because it takes long to import
    from ruamel.yaml.error import YAMLError

    try:
        documents = list(YAML(typ="safe").load_all(content.decode()))
    except (YAMLError, UnicodeDecodeError) as exc:
        raise SeedError(f"{name}: {exc}") from exc
    for document in documents:
        if not isinstance(document, dict):
            raise SeedError(f"{name}: a mapping from entity to objects is expected")
        unknown = [bean for bean in document if bean not in catalogue.schema.by_bean]
        if unknown:
            raise SeedError(f"{name}: {unknown[0]} is no entity")
        schema = catalogue.schema
        order = TopologicalSorter(
            {
                bean: {b for o in objects.values() for b in _needs(schema, schema.by_bean[bean], o)} - {bean}
                for bean, objects in document.items()
            }
        )
        try:
            beans = [bean for bean in order.static_order() if bean in document]
        except CycleError as exc:
            raise SeedError(f"{name}: objects refer to each other in a circle: {exc.args[1]}") from exc
        for bean in beans:
            for key, told in sorted(document[bean].items()):
                yield schema.by_bean[bean], key, told


def _needs(schema: Schema, entity: Entity, told: Any) -> Iterator[str]:
    """Yield the beans that an object and its children refer to: they have to be stored before."""
    if not isinstance(told, Mapping):
        return
    for name, value in told.items():
        f = entity.by_name.get(str(name))
        if f is not None and f.rel_type == "ONE":
            yield schema[f.type].bean
        elif f is not None and f.rel_type == "MANY" and isinstance(value, list):
            for child in value:
                yield from _needs(schema, schema[f.type], child)


class _Reader:
    """Turns a dump's objects into beans; references are keys of the dump, or unique keys."""

    def __init__(self, catalogue: Catalogue, connection: Connection, name: str) -> None:
        self._catalogue = catalogue
        self._schema = catalogue.schema
        self._connection = connection
        self._name = name
        self.index: dict[str, tuple[Entity, int]] = {}

    def xml(self, entity: Entity, element: Any, key: str) -> Bean | None:
        """Read an element; one that only names an object already there gives ``None``."""
        if element.tag.endswith("Ref"):
            self.index[key] = (entity, self._xml_reference(entity, element))
            return None
        return self._xml_bean(entity, element, key)

    def _xml_bean(self, entity: Entity, element: Any, key: str) -> Bean:
        bean = Bean(entity)
        for child in element:
            f = self._field(entity, child.tag, key)
            if f.rel_type == "ATTRIBUTE":
                bean.values[f.name] = self._value(f, child.text or "", key)
            elif f.rel_type == "ONE":
                target = self._schema[f.type]
                bean.ones[f.name] = Bean(target, self._xml_reference(target, child))
            else:
                bean.manies.setdefault(f.name, []).append(self._xml_bean(self._schema[f.type], child, key))
        return bean

    def _xml_reference(self, entity: Entity, element: Any) -> int:
        reference = element.get("ref")
        if reference:
            return self._find(reference)[1]
        wanted: dict[str, Value] = {}
        for attribute, text in element.attrib.items():
            if attribute.endswith(".ref"):
                wanted[attribute[:-4]] = self._find(text)[1]
            elif attribute != "id":
                f = self._field(entity, attribute, element.tag)
                wanted[attribute] = self._value(f, text, element.tag)
        return self._search(entity, wanted, str(wanted))

    def yaml(self, entity: Entity, told: Any, key: str) -> Bean:
        """Read a mapping."""
        if not isinstance(told, Mapping):
            raise SeedError(f"{self._name}: {key}: a mapping is expected")
        bean = Bean(entity)
        for name, value in told.items():
            f = self._field(entity, str(name), key)
            if f.rel_type == "ATTRIBUTE":
                text = str(value).lower() if isinstance(value, bool) else str(value)
                bean.values[f.name] = None if value is None else self._value(f, text, key)
            elif f.rel_type == "ONE":
                target, found = self._find(str(value))
                bean.ones[f.name] = Bean(target, found)
            else:
                bean.manies[f.name] = [self.yaml(self._schema[f.type], item, key) for item in value]
        return bean

    def _field(self, entity: Entity, name: str, key: str) -> Field:
        if name not in entity:
            raise SeedError(f"{self._name}: {key}: {entity.name} has no {name}")
        return entity[name]

    def _value(self, f: Field, text: str, key: str) -> Value:
        value = read(text, f.type, self._catalogue.zone, self._schema.enums.get(f.type, ()))
        if value is None:
            raise SeedError(f"{self._name}: {key}: {f.name}: {text!r} is no {f.type}")
        return value

    def _find(self, reference: str) -> tuple[Entity, int]:
        """Return what a reference names: an object of the dump, or one by its unique key."""
        known = self.index.get(reference)
        if known is None:
            kind, _, parts = reference.partition("_")
            if kind not in self._schema:
                raise SeedError(f"{self._name}: {reference!r} names no object")
            entity = self._schema[kind]
            wanted: dict[str, Value] = {}
            for name, text in unique_key(parts):
                f = self._field(entity, name, reference)
                if f.rel_type == "ONE":
                    wanted[name] = self._find(f"{f.type}_{text}")[1]
                else:
                    wanted[name] = self._value(f, _unquoted(text), reference)
            known = self.index[reference] = (entity, self._search(entity, wanted, reference))
        return known

    def _search(self, entity: Entity, wanted: Mapping[str, Value], reference: str) -> int:
        where = " AND ".join(f'"{name}" = ?' for name in wanted) or "1"
        rows = self._connection.execute(
            f'SELECT id FROM "{entity.name}" WHERE {where} LIMIT 2',  # noqa: S608 - names of our own
            list(wanted.values()),
        ).fetchall()
        if len(rows) != 1:
            raise SeedError(f"{self._name}: {reference!r} names {'several objects' if rows else 'no object'}")
        return int(rows[0][0])


def unique_key(text: str) -> Iterator[tuple[str, str]]:
    """Split ``name-x_facility-(name-y)`` into names and values; the value of a relation is a key again."""
    rest = text
    while rest:
        name, _, rest = rest.partition("-")
        if rest.startswith("("):
            end = _closing(rest)
            yield name, rest[1:end]
            rest = rest[end + 1 :].removeprefix("_")
        else:
            value, _, rest = rest.partition("_")
            yield name, value


def _closing(text: str) -> int:
    """Return where the bracket that begins ``text`` is closed."""
    depth = 0
    for position, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0:
            return position
    return len(text)


def _unquoted(text: str) -> str:
    """Undo the quoting of a unique key: ``=5F`` is an underscore."""
    head, *parts = text.split("=")
    raw = head.encode() + b"".join(bytes.fromhex(part[:2]) + part[2:].encode() for part in parts)
    return raw.decode()
