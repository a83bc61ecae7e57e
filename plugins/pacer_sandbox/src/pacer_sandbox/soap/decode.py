"""Requests: from an envelope to an operation with its arguments, as leniently as JAXB reads."""

from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo

from attrs import field, frozen
from lxml import etree

from pacer_sandbox.beans import Bean
from pacer_sandbox.lexical import Value, read
from pacer_sandbox.schema import META, Entity, Schema
from pacer_sandbox.soap.description import NAMESPACE

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_NIL = f"{{{_XSI}}}nil"
_TYPE = f"{{{_XSI}}}type"

Reader = Callable[[Bean, etree._Element], None]


class SoapError(Exception):
    """A request that is no request: answered with a plain SOAP fault."""


@frozen
class Request:
    """One call: the operation's name and its arguments as elements."""

    operation: str
    element: etree._Element

    def text(self, name: str) -> str | None:
        """Return the text of an argument, or ``None`` where it was not sent."""
        found = self.element.find(name)
        return None if found is None or found.get(_NIL) == "true" else found.text or ""

    def all(self, name: str) -> list[etree._Element]:
        """Return all elements of an argument."""
        return self.element.findall(name)

    def entries(self) -> dict[str, str]:
        """Return the credentials of a login."""
        return {
            entry.findtext("key") or "": entry.findtext("value") or ""
            for entry in self.element.iterfind("credentials/entry")
        }


def parse(body: bytes) -> Request:
    """Read an envelope; SoapError where it is none or names no operation of ours."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as exc:
        raise SoapError(f"Couldn't create SOAP message due to exception: {exc}") from exc
    if root.getroottree().docinfo.internalDTD is not None:
        raise SoapError("Couldn't create SOAP message: a DTD is not supported")
    content = root.find(f"{{{ENVELOPE}}}Body")
    if root.tag != f"{{{ENVELOPE}}}Envelope" or content is None or not len(content):
        raise SoapError("Couldn't create SOAP message: no envelope with a body")
    element = content[0]
    name = etree.QName(element)
    if name.namespace != NAMESPACE:
        raise SoapError(f"Cannot find dispatch method for {element.tag}")
    return Request(name.localname, element)


@frozen
class BeanReader:
    """Reads beans: unknown elements are ignored, unreadable values are null."""

    schema: Schema
    zone: ZoneInfo
    _readers: dict[str, dict[str, Reader]] = field(factory=dict, init=False)

    def bean(self, element: etree._Element) -> Bean:
        """Read a bean of the type that its ``xsi:type`` names."""
        name = (element.get(_TYPE) or "").rpartition(":")[2]
        entity = self.schema.by_bean.get(name)
        if entity is None:
            raise SoapError(
                "jakarta.xml.bind.UnmarshalException: Unable to create an instance of"
                " org.icatproject.core.entity.EntityBaseBean"
            )
        return self.read(element, entity)

    def beans(self, elements: list[etree._Element]) -> list[Bean]:
        """Read many beans."""
        return [self.bean(element) for element in elements]

    def read(self, element: etree._Element, entity: Entity) -> Bean:
        """Read a bean of a known type."""
        readers = self._readers.get(entity.name) or self._prepare(entity)
        bean = Bean(entity)
        for child in element:
            reader = readers.get(child.tag)
            if reader is not None:
                reader(bean, child)
        return bean

    def _prepare(self, entity: Entity) -> dict[str, Reader]:
        readers = dict(self._make(entity))
        self._readers[entity.name] = readers
        return readers

    def _make(self, entity: Entity) -> Iterator[tuple[str, Reader]]:
        for f in entity.fields:
            if f.name == "id":
                yield f.name, self._id
            elif f.name in META:
                continue
            elif f.rel_type == "ATTRIBUTE":
                yield f.name, self._attribute(f.name, f.type)
            elif f.rel_type == "ONE":
                yield f.name, self._one(f.name, self.schema[f.type])
            else:
                yield f.name, self._many(f.name, self.schema[f.type])

    def _id(self, bean: Bean, element: etree._Element) -> None:
        value = read(element.text or "", "Long", self.zone)
        bean.id = value if isinstance(value, int) else None

    def _attribute(self, name: str, kind: str) -> Reader:
        enum, zone = self.schema.enums.get(kind, ()), self.zone
        if kind == "String":

            def read_text(bean: Bean, element: etree._Element) -> None:
                bean.values[name] = None if element.get(_NIL) == "true" else element.text or ""

            return read_text

        def read_value(bean: Bean, element: etree._Element) -> None:
            value: Value = read(element.text or "", kind, zone, enum)
            bean.values[name] = value

        return read_value

    def _one(self, name: str, target: Entity) -> Reader:
        def read_one(bean: Bean, element: etree._Element) -> None:
            bean.ones[name] = None if element.get(_NIL) == "true" else self.read(element, target)

        return read_one

    def _many(self, name: str, target: Entity) -> Reader:
        def read_child(bean: Bean, element: etree._Element) -> None:
            bean.manies.setdefault(name, []).append(self.read(element, target))

        return read_child
