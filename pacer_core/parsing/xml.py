"""XML bodies, read by local name in whatever namespace, as the message class says."""

from __future__ import annotations

from typing import Any

from lxml import etree

from pacer_core.errors import BadField, IgnoreError, Reject
from pacer_core.parsing.types import Member, Shape, shape_of, snake

_TAGS = 1024  # those that are remembered for one class, namespaces and all


def read_xml(body: bytes, cls: type, *, encoding: str | None = None) -> tuple[dict[str, Any], list[BadField]]:
    """Give the plain data that an XML body holds for a message class, and what is wrong with its elements.

    Elements and attributes that the class does not know are passed over; an element that the class holds as
    a tuple may be repeated, any other may not. No entity is expanded, nothing is fetched, and trees past
    libxml2's limits (depth 256, 10 MB of text) are refused. ``encoding`` outweighs what the body declares.

    Raises
    ------
    Reject
        Where the body is not well-formed, brings a DOCTYPE, or has another root.
    IgnoreError
        Where its root is one that the class passes over.
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
    if root.tag in shape.ignored:
        raise IgnoreError(f"<{found}> is nothing for this consumer")
    if snake(found) != shape.root:
        raise Reject(
            f"the root element is not <{shape.root}>", fields=[BadField("$", f"expected <{shape.root}>")]
        )
    problems: list[BadField] = []
    return _data(root, shape, None, problems), problems


_Place = tuple["_Place | None", str, int | None]
"""Where an element stands: inside which, as which field, and which of several."""


def _data(
    node: etree._Element, shape: Shape, place: _Place | None, problems: list[BadField]
) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for name, text in node.items():
        member = _of_attribute(str(name), node, shape)
        if member is not None:
            data[member.name] = str(text)
    tags = shape.tags
    for child in node:
        tag = child.tag
        member = tags[tag] if tag in tags else _learn(shape, tag)
        if member is None:
            continue
        items: list[Any] | None = data.setdefault(member.name, []) if member.many else None
        here = place
        here = (place, member.name, None if items is None else len(items))
        value: Any
        if member.inner is not None:
            value = _data(child, shape_of(member.inner), here, problems)
        else:
            value = (child.text or "").strip()
            if len(child):
                problems.append(BadField(_spell(here), "holds elements where text is expected"))
        if items is not None:
            items.append(value)
        elif member.name in data:
            problems.append(BadField(_spell(here), "is given more than once"))
        else:
            data[member.name] = value
    return data


def _spell(place: _Place) -> str:
    parent, name, index = place
    own = name if index is None else f"{name}[{index}]"
    return own if parent is None else f"{_spell(parent)}.{own}"


def _of_attribute(name: str, node: etree._Element, shape: Shape) -> Member | None:
    """Give the field that an attribute stands for; those of a namespace not the element's are XML's own."""
    own = etree.QName(node).namespace
    if etree.QName(name).namespace not in (None, own):  # xsi:type, xml:lang, ...
        return None
    member = shape.members.get(_local(name))
    return None if member is None or member.inner is not None or member.many else member


def _learn(shape: Shape, tag: Any) -> Member | None:
    """Find the field of an element, and remember it by its tag; publishers write a few."""
    if not isinstance(tag, str):  # an entity, which nobody has expanded
        return None
    member = shape.members.get(_local(tag))
    if len(shape.tags) < _TAGS:
        shape.tags[tag] = member
    return member


def _local(tag: str) -> str:
    return snake(tag.rpartition("}")[2])
