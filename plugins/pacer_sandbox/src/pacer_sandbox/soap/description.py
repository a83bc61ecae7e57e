"""The interface description, made from the schema: WSDL with an imported XSD, as suds needs it."""

from attrs import frozen

from pacer_sandbox.schema import Entity, Field, Schema

NAMESPACE = "http://icatproject.org"
_SCHEMA = "http://www.w3.org/2001/XMLSchema"

MANDATORY, OPTIONAL, MANY = "", ' minOccurs="0"', ' minOccurs="0" maxOccurs="unbounded"'

_KINDS = {
    "String": "xs:string",
    "Date": "xs:dateTime",
    "Long": "xs:long",
    "Integer": "xs:int",
    "Double": "xs:double",
    "boolean": "xs:boolean",
}
_PARAMETER = ("dateTimeValue", "error", "numericValue", "rangeBottom", "rangeTop", "stringValue", "type")


@frozen
class Part:
    """One element of a request or a response."""

    name: str
    type: str
    occurs: str = OPTIONAL


@frozen
class Operation:
    """One operation of the port: what it takes and what its ``return`` elements are."""

    name: str
    takes: tuple[Part, ...] = ()
    returns: tuple[str, str] | None = None
    """Type and occurrence of ``return``."""


_SESSION = Part("sessionId", "xs:string")
_BEAN = Part("bean", "tns:entityBaseBean")
_BEANS = Part("beans", "tns:entityBaseBean", MANY)
_QUERY = Part("query", "xs:string")

OPERATIONS = (
    Operation("login", (Part("plugin", "xs:string"), Part("credentials", "")), ("xs:string", OPTIONAL)),
    Operation("logout", (_SESSION,)),
    Operation("refresh", (_SESSION,)),
    Operation("getUserName", (_SESSION,), ("xs:string", OPTIONAL)),
    Operation("getRemainingMinutes", (_SESSION,), ("xs:double", MANDATORY)),
    Operation("create", (_SESSION, _BEAN), ("xs:long", MANDATORY)),
    Operation("createMany", (_SESSION, _BEANS), ("xs:long", MANY)),
    Operation("update", (_SESSION, _BEAN)),
    Operation("delete", (_SESSION, _BEAN)),
    Operation("deleteMany", (_SESSION, _BEANS)),
    Operation(
        "get", (_SESSION, _QUERY, Part("primaryKey", "xs:long", MANDATORY)), ("tns:entityBaseBean", OPTIONAL)
    ),
    Operation("search", (_SESSION, _QUERY), ("xs:anyType", MANY)),
    Operation(
        "isAccessAllowed", (_SESSION, _BEAN, Part("accessType", "tns:accessType")), ("xs:boolean", MANDATORY)
    ),
    Operation("getApiVersion", (), ("xs:string", OPTIONAL)),
    Operation("getVersion", (), ("xs:string", OPTIONAL)),
    Operation("getEntityNames", (), ("xs:string", MANY)),
    Operation("getEntityInfo", (Part("beanName", "xs:string"),), ("tns:entityInfo", OPTIONAL)),
    Operation("getAuthenticatorInfo", (), ("tns:authenticatorInfo", MANY)),
    Operation("getProperties", (_SESSION,), ("xs:string", MANY)),
    Operation(
        "dummy",
        tuple(
            Part(f"arg{i}", f"tns:{name}")
            for i, name in enumerate(("dataset", "job", "studyStatus", "publicStep", "fieldSet"))
        ),
    ),
)
"""All operations; ``dummy`` only carries types into the description."""

_TYPES = {
    "IcatException": (
        Part("message", "xs:string"),
        Part("offset", "xs:int", MANDATORY),
        Part("type", "tns:icatExceptionType"),
    ),
    "fieldSet": (Part("fields", "xs:anyType", ' nillable="true"' + MANY),),
    "entityInfo": (
        Part("classComment", "xs:string"),
        Part("constraints", "tns:constraint", ' nillable="true"' + MANY),
        Part("fields", "tns:entityField", ' nillable="true"' + MANY),
    ),
    "constraint": (Part("fieldNames", "xs:string", ' nillable="true"' + MANY),),
    "entityField": (
        Part("comment", "xs:string"),
        Part("name", "xs:string"),
        Part("notNullable", "xs:boolean", MANDATORY),
        Part("relType", "tns:relType"),
        Part("stringLength", "xs:int"),
        Part("type", "xs:string"),
    ),
    "authenticatorInfo": (
        Part("admin", "xs:boolean", MANDATORY),
        Part("friendly", "xs:string"),
        Part("keys", "tns:authenticatorCredentialKey", ' nillable="true"' + MANY),
        Part("mnemonic", "xs:string"),
    ),
    "authenticatorCredentialKey": (
        Part("hide", "xs:boolean", MANDATORY),
        Part("name", "xs:string"),
        Part("pattern", "xs:string"),
    ),
}


def xsd(schema: Schema, error_types: tuple[str, ...]) -> str:
    """Return the XSD: messages, 53 beans, helpers and enumerations."""
    head = f'xmlns:tns="{NAMESPACE}" xmlns:xs="{_SCHEMA}" version="1.0" targetNamespace="{NAMESPACE}"'
    out = [f'<?xml version="1.0" encoding="UTF-8"?><xs:schema {head}>']
    messages = [name for op in OPERATIONS for name in (op.name, f"{op.name}Response")]
    out.extend(f'<xs:element name="{n}" type="tns:{n}"/>' for n in ("IcatException", "fieldSet", *messages))
    for op in OPERATIONS:
        out.append(_type(op.name, "".join(map(_part, op.takes))))
        answer = _part(Part("return", *op.returns)) if op.returns else ""
        out.append(_type(f"{op.name}Response", answer))
    out.extend(_type(name, "".join(map(_part, parts))) for name, parts in _TYPES.items())
    sample = schema["Dataset"]
    out.append(_type("entityBaseBean", "".join(_field(f) for f in sample.fields[:5]), abstract=True))
    parameter = schema["DatasetParameter"]
    common = "".join(_field(parameter[name]) for name in _PARAMETER)
    out.append(_type("parameter", common, base="entityBaseBean", abstract=True))
    out.extend(_bean(entity) for entity in schema)
    enums = {
        "icatExceptionType": error_types,
        "accessType": ("READ", "UPDATE", "DELETE", "CREATE"),
        "relType": ("ATTRIBUTE", "MANY", "ONE"),
        **{lower_first(name): values for name, values in schema.enums.items()},
    }
    out.extend(_enum(name, values) for name, values in enums.items())
    out.append("</xs:schema>")
    return "\n".join(out)


def wsdl(endpoint: str) -> str:
    """Return the WSDL of a service at ``endpoint``."""
    messages = "".join(
        f'<message name="{name}"><part name="parameters" element="tns:{name}"/></message>'
        for op in OPERATIONS
        for name in (op.name, f"{op.name}Response")
    )
    port = "".join(
        f'<operation name="{op.name}"><input message="tns:{op.name}"/>'
        f'<output message="tns:{op.name}Response"/>'
        '<fault message="tns:IcatException" name="IcatException"/></operation>'
        for op in OPERATIONS
    )
    body = '<soap:body use="literal"/>'
    binding = "".join(
        f'<operation name="{op.name}"><soap:operation soapAction=""/><input>{body}</input>'
        f"<output>{body}</output>"
        '<fault name="IcatException"><soap:fault name="IcatException" use="literal"/></fault></operation>'
        for op in OPERATIONS
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" '
        'xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" '
        f'xmlns:xsd="{_SCHEMA}" xmlns:tns="{NAMESPACE}" targetNamespace="{NAMESPACE}" name="ICATService">'
        f'<types><xsd:schema><xsd:import namespace="{NAMESPACE}" schemaLocation="{endpoint}?xsd=1"/>'
        f"</xsd:schema></types>{messages}"
        '<message name="IcatException"><part name="fault" element="tns:IcatException"/></message>'
        f'<portType name="ICAT">{port}</portType>'
        '<binding name="ICATPortBinding" type="tns:ICAT">'
        '<soap:binding transport="http://schemas.xmlsoap.org/soap/http" style="document"/>'
        f"{binding}</binding>"
        '<service name="ICATService"><port name="ICATPort" binding="tns:ICATPortBinding">'
        f'<soap:address location="{endpoint}"/></port></service></definitions>'
    )


def lower_first(name: str) -> str:
    """Return a type's name as the XSD spells it."""
    return name[0].lower() + name[1:]


def _type(name: str, content: str, *, base: str = "", abstract: bool = False) -> str:
    content = f"<xs:sequence>{content}</xs:sequence>"
    if base:
        content = f'<xs:extension base="tns:{base}">{content}</xs:extension>'
        content = f"<xs:complexContent>{content}</xs:complexContent>"
    flag = ' abstract="true"' if abstract else ""
    return f'<xs:complexType name="{name}"{flag}>{content}</xs:complexType>'


def _part(part: Part) -> str:
    if part.type:
        return f'<xs:element name="{part.name}" type="{part.type}"{part.occurs}/>'
    pair = "".join(_part(Part(name, "xs:string")) for name in ("key", "value"))
    entry = (
        f'<xs:element name="entry"{MANY}><xs:complexType><xs:sequence>{pair}</xs:sequence></xs:complexType>'
        "</xs:element>"
    )
    return (
        f'<xs:element name="{part.name}"><xs:complexType><xs:sequence>{entry}</xs:sequence></xs:complexType>'
        "</xs:element>"
    )


def _field(field: Field) -> str:
    if field.rel_type == "MANY":
        kind, occurs = f"tns:{lower_first(field.type)}", ' nillable="true"' + MANY
    else:
        kind = _KINDS.get(field.type, f"tns:{lower_first(field.type)}")
        occurs = MANDATORY if field.type == "boolean" else OPTIONAL
    return _part(Part(field.name, kind, occurs))


def _bean(entity: Entity) -> str:
    inherited = {f.name for f in entity.fields[:5]}
    base = "entityBaseBean"
    if all(name in entity for name in _PARAMETER):
        base = "parameter"
        inherited |= set(_PARAMETER)
    own = "".join(_field(f) for f in entity.fields if f.name not in inherited)
    return _type(entity.bean, own, base=base)


def _enum(name: str, values: tuple[str, ...]) -> str:
    content = "".join(f'<xs:enumeration value="{value}"/>' for value in values)
    return (
        f'<xs:simpleType name="{name}"><xs:restriction base="xs:string">{content}</xs:restriction>'
        "</xs:simpleType>"
    )
