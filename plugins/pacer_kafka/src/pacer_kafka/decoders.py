"""Decoders: what makes sense of a value, found by its first bytes.

Each is an entry point of the group ``pacer_kafka``, named as its identifier; the plugin's own are registered
in the same way. So another plugin's are there once it is installed, and nothing is imported that no
configuration names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from attrs import frozen

from pacer_core import PacerError

GROUP = "pacer_kafka"
JSON = "json"
"""What a value is called that begins like JSON."""
_JSON = b"{["
_BEFORE_JSON = b" \t\r\n\xef\xbb\xbf"
_AT = slice(4, 8)  # where a FlatBuffer has its file identifier, behind the offset of its root


@frozen(eq=False)
class KafkaDecoder:
    """Makes the message of a consumer type out of a value.

    Attributes
    ----------
    identifier
        The four characters that a FlatBuffer of this schema has behind its first four bytes (``wrdn``).
    consumer_type
        The consumer type that the message is for; ``""`` where the configuration has to say where it goes.
    decode
        ``decode(value)`` gives fields, which are sent as JSON, or the bytes of a JSON text as they are. What
        it raises says that the value cannot be read; it should quote nothing of it.
    problem
        ``problem(fields)`` says why a message that could be read is none to be handled (its writer has
        failed), and ``""`` where it is.
    """

    identifier: str
    consumer_type: str
    decode: Callable[[bytes], Mapping[str, Any] | bytes]
    problem: Callable[[Any], str] = lambda _: ""


@cache
def known() -> Mapping[str, EntryPoint]:
    """Give the decoders that are installed, by identifier; none is imported.

    Raises
    ------
    PacerError
        Where two distributions have one for the same identifier.
    """
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise PacerError(
                f"two distributions decode {point.name!r}: {_origin(other)} and {_origin(point)}; "
                f"uninstall one of them"
            )
    return found


@cache
def decoder(identifier: str) -> KafkaDecoder:
    """Give the decoder of an identifier.

    Raises
    ------
    PacerError
        Where there is none, or what is registered is none.
    """
    point = known().get(identifier)
    if point is None:
        there = ", ".join(sorted(known())) or "none"
        raise PacerError(f"no plugin decodes {identifier!r} (there are: {there})")
    try:
        found = point.load()
    except Exception as error:
        why = type(error).__name__
        raise PacerError(f"the decoder {identifier!r} of {_origin(point)} cannot be loaded: {why}") from error
    if not isinstance(found, KafkaDecoder) or found.identifier != identifier:
        raise PacerError(
            f"the decoder {identifier!r} of {_origin(point)} is no KafkaDecoder of that name: {point.value}"
        )
    return found


def _origin(point: EntryPoint) -> str:
    return point.value if point.dist is None else f"{point.dist.name} {point.dist.version}"


def identify(value: bytes, wanted: Iterable[str]) -> str:
    """Say what a value is: one of the ``wanted`` identifiers, another FlatBuffer's, or ``""``.

    JSON is told by its first character; a FlatBuffer cannot begin with it, since the offset of its root, the
    first four bytes, is even.
    """
    if value[:1] and value[0] in _JSON:
        return JSON
    name = value[_AT].decode("latin-1")
    if len(name) == 4 and (name in wanted or _is_flatbuffer(value, name)):
        return name
    start = value.lstrip(_BEFORE_JSON)[:1]
    return JSON if start and start in _JSON else ""


def _is_flatbuffer(value: bytes, name: str) -> bool:
    root = int.from_bytes(value[:4], "little")
    return name.isascii() and name.isalnum() and 8 <= root < len(value) and root % 2 == 0


JSON_TEXT = KafkaDecoder(JSON, "", lambda value: value)
"""JSON, as it is: its consumer reads it."""
