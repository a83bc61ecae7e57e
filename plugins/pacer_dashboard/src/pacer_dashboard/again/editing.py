"""An edited payload: it has to be what it was, JSON or XML."""

from __future__ import annotations

import json
from xml.parsers import expat

LARGEST = 16 * 1024 * 1024
"""Bytes: RabbitMQ 4 takes no larger ones, by default."""


class BadEdit(ValueError):
    """An edited payload is not well formed; its text says where."""


def form_of(payload: str) -> str:
    """Give ``json``, ``xml``, or ``text`` where it is neither."""
    try:
        json.loads(payload)
    except ValueError:
        pass
    else:
        return "json"
    try:
        _parse_xml(payload)
    except BadEdit:
        return "text"
    return "xml"


def edited(payload: str, before: str) -> str:
    """Give an edited payload, once it has the form of what it was; what was malformed may become anything.

    Browsers send line ends of their own: they become those of Unix.

    Raises
    ------
    BadEdit
        Where it has not, with the place.
    """
    text = payload.replace("\r\n", "\n")
    if not text.strip():
        raise BadEdit("it is empty")
    if len(text.encode()) > LARGEST:
        raise BadEdit(f"it is larger than {LARGEST >> 20} MiB")
    form = form_of(before)
    if form == "json":
        try:
            json.loads(text)
        except json.JSONDecodeError as error:
            raise BadEdit(f"it is no JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
    if form == "xml":
        _parse_xml(text)
    return text


def _parse_xml(text: str) -> None:
    parser = expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise BadEdit("it has a document type: messages have none, and entities of its own may be endless")

    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        why = expat.ErrorString(error.code)
        raise BadEdit(f"it is no XML: line {error.lineno}, column {error.offset + 1}: {why}") from None
