"""Answers: entities, values and faults as XML text."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from zoneinfo import ZoneInfo

from attrs import field, frozen

from pacer_sandbox import times
from pacer_sandbox.errors import IcatError
from pacer_sandbox.schema import Entity, Field, Schema
from pacer_sandbox.soap.description import NAMESPACE, lower_first

Record = Mapping[str, object]
Writer = Callable[[object], str]

_XSI_TYPES = {
    "String": "xs:string",
    "Date": "xs:dateTime",
    "Long": "xs:long",
    "Integer": "xs:int",
    "Double": "xs:double",
    "boolean": "xs:boolean",
    "BigDecimal": "xs:decimal",
}


def envelope(operation: str, content: str) -> bytes:
    """Return the response of an operation around its ``return`` elements."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xs="http://www.w3.org/2001/XMLSchema"'
        f' xmlns:ns2="{NAMESPACE}"><S:Body><ns2:{operation}Response>{content}</ns2:{operation}Response>'
        "</S:Body></S:Envelope>"
    ).encode()


def fault(error: IcatError) -> bytes:
    """Return the fault for a refusal."""
    message = escaped(error.message)
    detail = (
        f'<detail><ns2:IcatException xmlns:ns2="{NAMESPACE}"><message>{message}</message>'
        f"<offset>{error.offset}</offset><type>{error.type}</type></ns2:IcatException></detail>"
    )
    return plain_fault("Server", error.message, detail)


def plain_fault(code: str, message: str, detail: str = "") -> bytes:
    """Return a fault without an IcatException: the request was no request."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><S:Fault>'
        f"<faultcode>S:{code}</faultcode><faultstring>{escaped(message)}</faultstring>{detail}"
        "</S:Fault></S:Body></S:Envelope>"
    ).encode()


def escaped(text: str) -> str:
    """Return text as the content of an element."""
    if "&" in text or "<" in text or ">" in text or "\r" in text:
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
    return text


@frozen
class Encoder:
    """Writes what searches return."""

    schema: Schema
    zone: ZoneInfo
    _writers: dict[str, tuple[tuple[str, Writer], ...]] = field(factory=dict, init=False)

    def rows(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
        """Write search results; several columns make a ``fieldSet``, a lone null is left out."""
        if len(columns) == 1:
            write = self._typed("return", columns[0])
            return "".join([write(row[0]) for row in rows if row[0] is not None])
        writers = [self._typed("fields", kind) for kind in columns]
        nil = '<fields xsi:nil="true"/>'
        return "".join(
            '<return xsi:type="ns2:fieldSet">'
            + "".join([nil if v is None else write(v) for write, v in zip(writers, row, strict=True)])
            + "</return>"
            for row in rows
        )

    def entity(self, name: str, record: Record) -> str:
        """Write one entity as ``return``."""
        return self._typed("return", name)(record)

    def _typed(self, tag: str, kind: str) -> Writer:
        if kind in self.schema:
            entity = self.schema[kind]
            start = f'<{tag} xsi:type="ns2:{entity.bean}">'
            return lambda value: f"{start}{self._content(entity, value)}</{tag}>"
        start = f'<{tag} xsi:type="{_XSI_TYPES.get(kind) or "ns2:" + lower_first(kind)}">'
        write = self._simple(kind)
        return lambda value: f"{start}{write(value)}</{tag}>"

    def _content(self, entity: Entity, record: object) -> str:
        if not isinstance(record, Mapping):
            raise TypeError(f"{entity.name}: a record is expected")
        writers = self._writers.get(entity.name) or self._prepare(entity)
        out = []
        for name, write in writers:
            value = record.get(name)
            if value is not None:
                out.append(write(value))
        return "".join(out)

    def _prepare(self, entity: Entity) -> tuple[tuple[str, Writer], ...]:
        writers = tuple((f.name, self._field(f)) for f in entity.fields)
        self._writers[entity.name] = writers
        return writers

    def _field(self, f: Field) -> Writer:
        start, end = f"<{f.name}>", f"</{f.name}>"
        if f.rel_type == "ATTRIBUTE":
            write = self._simple(f.type)
            return lambda value: f"{start}{write(value)}{end}"
        target = self.schema[f.type]
        if f.rel_type == "ONE":
            return lambda value: f"{start}{self._content(target, value)}{end}"

        def many(value: object) -> str:
            if not isinstance(value, Iterable):
                raise TypeError(f"{f.name}: a list is expected")
            return "".join([f"{start}{self._content(target, item)}{end}" for item in value])

        return many

    def _simple(self, kind: str) -> Writer:
        if kind == "Date":
            zone = self.zone
            return lambda value: times.to_xml(_int(value), zone)
        if kind == "boolean":
            return lambda value: "true" if value else "false"
        if kind == "Double":
            return _double
        if kind in ("Long", "Integer"):
            return str
        return lambda value: escaped(str(value))


def _int(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"a whole number is expected, not {type(value).__name__}")
    return value


def _double(value: object) -> str:
    if not isinstance(value, int | float):
        raise TypeError(f"a number is expected, not {type(value).__name__}")
    return repr(float(value))
