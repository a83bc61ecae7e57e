"""What a part of a plugin is, as it is begun."""

from __future__ import annotations

from attrs import frozen


@frozen
class Part:
    """One part: ``$package``, ``$type``, ``$snake`` and ``$Message`` in it are the plugin's own names.

    ``imports`` are lines of ``plugin.py``, and ``hook`` is what it registers the part by.
    """

    module: str
    source: str
    imports: tuple[str, ...]
    hook: str
    test: str
    about: str
