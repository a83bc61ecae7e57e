"""XML bodies, read by local name in whatever namespace, as the message class says."""

from __future__ import annotations

from typing import Any

from lxml import etree

from pacer_core.errors import BadField, Reject
from pacer_core.parsing.types import Member, Shape, shape_of, snake


def read_xml(body: bytes, cls: type, *, encoding: str | None = None) -> tuple[dict[str, Any], list[BadField]]:
    """Give the plain data that an XML body holds for a message class, and what is wrong with its elements.

    Elements and attributes that the class does not know are passed over; an element that the class holds as
    a tuple may be repeated, any other may not. No entity is expanded, nothing is fetched, and trees past
    libxml2's limits (depth 256, 10 MB of text) are refused. ``encoding`` outweighs what the body declares.

    Raises
    ------
    Reject
        Where the body is not well-formed, brings a DOCTYPE, or has another root.
    """
    # Made anew each time: a parser shared between threads serialises them, and costs no less.
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        encoding=encoding,
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise Reject(f"the body is not XML: line {line}, column {column}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise Reject("the body has a DOCTYPE, which is not accepted")
    shape = shape_of(cls)
    found = etree.QName(root).localname
    if snake(found) != shape.root:
        raise Reject(
            f"the root element is not <{shape.root}>", fields=[BadField("$", f"expected <{shape.root}>")]
        )
    problems: list[BadField] = []
    return _data(root, shape, "", problems), problems


def _data(node: etree._Element, shape: Shape, path: str, problems: list[BadField]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    members = shape.members
    seen: set[str] = set()
    own = etree.QName(node).namespace
    for name, value in node.attrib.items():
        if etree.QName(name).namespace not in (None, own):  # xsi:type, xml:lang, ...
            continue
        member = members.get(_local(str(name)))
        if member is not None and member.inner is None and not member.many:
            seen.add(member.name)
            data[member.name] = str(value)
    for child in node:
        tag = child.tag
        member = members.get(_local(tag)) if isinstance(tag, str) else None
        if member is None:
            continue
        where = f"{path}.{member.name}" if path else member.name
        if member.many:
            items = data.setdefault(member.name, [])
            items.append(_value(child, member, f"{where}[{len(items)}]", problems))
        elif member.name in seen:
            problems.append(BadField(where, "is given more than once"))
        else:
            seen.add(member.name)
            data[member.name] = _value(child, member, where, problems)
    return data


def _value(node: etree._Element, member: Member, path: str, problems: list[BadField]) -> Any:
    if member.inner is not None:
        return _data(node, shape_of(member.inner), path, problems)
    if len(node):
        problems.append(BadField(path, "holds elements where text is expected"))
    return (node.text or "").strip()


def _local(tag: str) -> str:
    return snake(tag.rpartition("}")[2])
