"""XML bodies, read by local name in whatever namespace, as the message class says."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any, Literal

from lxml import etree

from pacer_core.model.errors import BadField, IgnoreError, Reject
from pacer_core.parsing.charset import is_plain_xml, xml_in_utf8
from pacer_core.parsing.field_types import LONGEST, Member, Shape, shape_of, snake
from pacer_core.parsing.limits import check_xml
from pacer_core.parsing.structuring import MISTAKES

_TAGS = 1024  # those that are remembered for one class, namespaces and all


def read_xml(
    body: bytes, cls: type, *, encoding: Literal["utf-8"] | None = None
) -> tuple[dict[str, Any], list[BadField]]:
    """Give the plain data that an XML body holds for a message class, and what is wrong with its elements.

    Elements and attributes that the class does not know are passed over; an element that the class holds as
    a tuple may be repeated, any other may not. No entity is expanded, nothing is fetched, and what is past
    the limits of `pacer_core.parsing.limits` or libxml2's (depth 256, 10 MB of text) is refused. ``encoding``
    outweighs what the body declares.

    Raises
    ------
    Reject
        Where the body is not well-formed, brings a DOCTYPE, is too much to read, or has another root.
    IgnoreError
        Where its root is one that the class passes over.
    """
    parser = _own().plain
    if not is_plain_xml(body):
        parser = _own().utf8
        body = (xml_in_utf8(body) if encoding is None else body).removeprefix(b"\xef\xbb\xbf")
    check_xml(body)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise Reject(f"the body {_problem(error)}: line {line}, column {column}") from None
    shape = shape_of(cls)
    found = root.tag.rpartition("}")[2]
    if root.tag in shape.ignored:
        raise IgnoreError(f"<{found}> is nothing for this consumer")
    if snake(found) != shape.root:
        raise Reject(
            f"the root element is not <{shape.root}>", fields=[BadField("$", f"expected <{shape.root}>")]
        )
    problems: list[BadField] = []
    return _data(root, shape, None, problems), problems


def _problem(error: etree.XMLSyntaxError) -> str:
    """Say what libxml2 has refused: bad XML, or good XML past its limits."""
    said = str(error.msg)
    if "depth" in said:
        return "has XML elements deeper than 256, which is not read"
    if "XML_PARSE_HUGE" in said or "huge text" in said or "too big found" in said:
        return "has a text of more than 10 MB in its XML, which is not read"
    return "is not XML"


def _parser(encoding: str | None = None) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        remove_blank_text=True,  # that between elements, which nobody reads
        encoding=encoding,
    )


class _Own(threading.local):
    """The parsers of a thread; one for several threads would let them wait for each other."""

    def __init__(self) -> None:
        self.plain = _parser()
        self.utf8 = _parser("utf-8")  # outweighs what is declared, and takes half as long again


@cache
def _own() -> _Own:
    return _Own()


_Place = tuple["_Place | None", Member, dict[str, Any]]
"""Where an element stands: inside which, as which field, and the fields that came before it."""


def _data(
    node: etree._Element, shape: Shape, place: _Place | None, problems: list[BadField]
) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for name, text in node.items():  # as many as `limits` lets through: lxml takes quadratic time for this
        member = _of_attribute(str(name), node, shape)
        if member is not None:
            data[member.name] = str(text)
    tags = shape.tags
    for child in node:
        tag = child.tag
        try:
            member = tags[tag]
        except KeyError:
            member = _learn(shape, tag)
        if member is None:
            continue
        value: Any
        if member.inner is None:
            value = child.text
            value = value.strip() if value else ""
            if len(child):
                _note(problems, (place, member, data), "holds elements where text is expected")
        else:
            value = _data(child, shape_of(member.inner), (place, member, data), problems)
        field = member.name
        if field not in data:
            data[field] = [value] if member.many else value
        elif member.many:
            data[field].append(value)
        else:
            _note(problems, (place, member, data), "is given more than once")
    return data


def _note(problems: list[BadField], place: _Place, what: str) -> None:
    if len(problems) < MISTAKES:
        problems.append(BadField(_spell(place), what))


def _spell(place: _Place) -> str:
    parent, member, before = place
    own = f"{member.name}[{len(before.get(member.name, ()))}]" if member.many else member.name
    return own if parent is None else f"{_spell(parent)}.{own}"


def _of_attribute(name: str, node: etree._Element, shape: Shape) -> Member | None:
    """Give the field that an attribute stands for; those of a namespace not the element's are XML's own."""
    own = etree.QName(node).namespace
    if etree.QName(name).namespace not in (None, own):  # xsi:type, xml:lang, ...
        return None
    member = shape.member(_local(name))
    return None if member is None or member.inner is not None or member.many else member


def _learn(shape: Shape, tag: Any) -> Member | None:
    """Find the field of an element, and remember it by its tag; publishers write a few."""
    if not isinstance(tag, str):  # an entity, which nobody has expanded
        return None
    member = shape.member(_local(tag))
    if len(shape.tags) < _TAGS and len(tag) <= LONGEST:
        shape.tags[tag] = member
    return member


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
