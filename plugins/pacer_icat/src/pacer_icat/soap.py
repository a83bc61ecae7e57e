"""SOAP envelopes of ICAT's interface (WSDL of ICAT 6.2, document/literal), written and read with lxml."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from attrs import frozen
from lxml import etree

from pacer_core import Retry
from pacer_icat.faults import IcatAway, IcatFault, no_icat
from pacer_icat.schema import Entity, Field, Schema, entity_name

NAMESPACE = "http://icatproject.org"
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_XS = "http://www.w3.org/2001/XMLSchema"
_MAP = {"soap": _SOAP, "i": NAMESPACE, "xsi": _XSI, "xs": _XS}
_TYPE = f"{{{_XSI}}}type"
_NIL = f"{{{_XSI}}}nil"


@frozen
class Bean:
    """One object on its way to ICAT.

    ``values`` by field name: scalars, a `Bean` for a reference (its id is what counts), a sequence of beans
    for children that are created with it. What is missing, or ``None``, is not sent.
    """

    entity: str
    values: Mapping[str, Any]


@frozen
class Record:
    """One object as ICAT gave it: ``record["name"]``; what ICAT left out is ``None``."""

    entity: str
    values: Mapping[str, Any]

    @property
    def id(self) -> int:
        """Its number in ICAT."""
        return cast(int, self.values["id"])

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)

    def related(self, name: str) -> Record:
        """Give what it has to refer to, and what was asked for with it.

        Raises
        ------
        Retry
            Where ICAT shows nothing, as it does with what the account may not read.
        """
        found = self.values.get(name)
        if found is None:
            raise Retry(
                f"ICAT shows a {self.entity} without its {name}: give PACER's account the right to read it"
            )
        return cast(Record, found)


def ref(entity: str, id: int, **more: Any) -> Bean:  # noqa: A002 - ICAT's word
    """Give a reference to what is in ICAT already."""
    return Bean(entity, {"id": id, **more})


def write(operation: str, arguments: Iterable[tuple[str, Any]], schema: Schema) -> bytes:
    """Write the envelope of a call.

    ``arguments`` in the order of the WSDL; a `Bean` gets its ``xsi:type``, a mapping becomes the entries of
    ``credentials``, anything else is text.
    """
    root = etree.Element(f"{{{_SOAP}}}Envelope", nsmap=_MAP)
    body = etree.SubElement(root, f"{{{_SOAP}}}Body")
    call = etree.SubElement(body, f"{{{NAMESPACE}}}{operation}")
    for name, value in arguments:
        node = etree.SubElement(call, name)
        if isinstance(value, Bean):
            entity = schema.entity(value.entity)
            node.set(_TYPE, f"i:{entity.bean}")
            _fill(node, value, entity, schema)
        elif isinstance(value, Mapping):
            for key, text in value.items():
                entry = etree.SubElement(node, "entry")
                etree.SubElement(entry, "key").text = key
                etree.SubElement(entry, "value").text = text
        else:
            node.text = text_of(value)
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


def read(answer: bytes, status: int, call: str, endpoint: str) -> list[etree._Element]:
    """Give the ``return`` elements of an answer.

    Raises
    ------
    IcatFault
        Where ICAT refuses.
    IcatAway
        Where whoever answers is no ICAT: a proxy's page, a server that is still starting.
    """
    root = None
    # SOAP knows no DTD (1.1, section 3), and huge_tree lifts the limit of what the entities of one become.
    if b"<!DOCTYPE" not in answer[: answer.find(b"Envelope")]:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True, encoding="utf-8")
        with contextlib.suppress(etree.XMLSyntaxError):
            root = etree.fromstring(answer, parser)
    if root is None or root.tag != f"{{{_SOAP}}}Envelope":
        raise no_icat(endpoint, status, call)
    response = root.find(f"{{{_SOAP}}}Body/*")
    if response is None:
        raise IcatAway(f"ICAT answers {call} with an empty envelope")
    if response.tag != f"{{{_SOAP}}}Fault":
        return response.findall("return")
    exception = response.find(f"detail/{{{NAMESPACE}}}IcatException")
    if exception is None:
        raise IcatFault("INTERNAL", response.findtext("faultstring") or "no reason given", call=call)
    offset = exception.findtext("offset") or "-1"
    raise IcatFault(
        exception.findtext("type") or "INTERNAL", exception.findtext("message") or "", int(offset), call=call
    )


def value_of(node: etree._Element, schema: Schema) -> Any:
    """Give one result of a search: a `Record`, a scalar, a tuple for several columns, or ``None``."""
    if node.get(_NIL) in ("true", "1"):
        return None
    kind = (node.get(_TYPE) or "string").rpartition(":")[2]
    if kind == "fieldSet":
        return tuple(value_of(field, schema) for field in node.findall("fields"))
    reader = _SCALARS.get(kind)
    if reader is not None:
        return reader(node.text or "")
    if not len(node):
        return node.text  # an enum
    return record_of(node, schema.entity(entity_name(kind)), schema)


def record_of(node: etree._Element, entity: Entity, schema: Schema) -> Record:
    """Give one object of an answer."""
    values: dict[str, Any] = {}
    for child in node:
        name = child.tag
        field = entity.field(name)
        if field.relation == "ATTRIBUTE":
            values[name] = _attribute(field, child.text or "")
        else:
            related = record_of(child, schema.entity(field.type), schema)
            if field.relation == "ONE":
                values[name] = related
            else:
                values.setdefault(name, []).append(related)
    return Record(entity.name, values)


def entity_of(name: str, node: etree._Element) -> Entity:
    """Give what ``getEntityInfo`` says about one entity."""
    fields = []
    for field in node.findall("fields"):
        length = field.findtext("stringLength")
        relation = field.findtext("relType")
        fields.append(
            Field(
                name=field.findtext("name") or "",
                type=field.findtext("type") or "",
                relation="ONE" if relation == "ONE" else "MANY" if relation == "MANY" else "ATTRIBUTE",
                required=field.findtext("notNullable") == "true",
                length=int(length) if length else None,
            )
        )
    key = tuple(one.text or "" for one in node.findall("constraints/fieldNames"))
    return Entity(name, tuple(fields), key)


def text_of(value: Any) -> str:
    """Give a scalar as XML Schema writes it.

    Raises
    ------
    ValueError
        For a number that is not finite or a time without offset: ICAT would take them for something else.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time without offset cannot be sent to ICAT")
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("ICAT holds finite numbers only")
    return str(value)


def _fill(node: etree._Element, bean: Bean, entity: Entity, schema: Schema) -> None:
    values = bean.values
    if not entity.by_name.keys() >= values.keys():
        for name in values:
            entity.field(name)
    sub = etree.SubElement
    for field in entity.fields:
        name = field.name
        value = values.get(name)
        if value is None:
            continue
        if field.relation == "ATTRIBUTE":
            sub(node, name).text = value if type(value) is str else text_of(value)
        elif isinstance(value, Bean):
            _fill(sub(node, name), value, schema.entity(field.type), schema)
        else:
            child = schema.entity(field.type)
            for one in cast(Sequence[Bean], value):
                _fill(sub(node, name), one, child, schema)


def _attribute(field: Field, text: str) -> Any:
    reader = _SCALARS.get(field.type)
    return text if reader is None else reader(text)


def _truth(text: str) -> bool:
    return text.strip() in ("true", "1")


_SCALARS: dict[str, Any] = {
    "String": str,
    "string": str,
    "Long": int,
    "long": int,
    "Integer": int,
    "int": int,
    "integer": int,
    "short": int,
    "Double": float,
    "double": float,
    "float": float,
    "decimal": float,
    "boolean": _truth,
    "Boolean": _truth,
    "Date": datetime.fromisoformat,
    "dateTime": datetime.fromisoformat,
}
