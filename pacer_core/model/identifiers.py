"""The identifiers by which people look for a message, as they stand in a line of the log."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_LONGEST = 200  # characters of an identifier: one that a publisher has made to fill the log is cut
_QUOTED = re.compile(r"""[\s"'=;\[\]\\]""")


def identifiers(description: Mapping[str, str]) -> str:
    """Give the identifiers of a message as they stand in a line: ``investigation=1 dataset="run 1"``.

    A value that could be taken for something else is a string of JSON; the room of logs reads them again.
    """
    return " ".join(f"{name}={_value(str(value))}" for name, value in description.items())


def shortened(value: str) -> str:
    """Give an identifier as far as a line has it."""
    return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}..."


def _value(value: str) -> str:
    value = shortened(value)
    plain = value and value.isprintable() and not _QUOTED.search(value)
    return value if plain else json.dumps(value)
