"""The page on hooks, made of their specifications: in their order, with the headings between them."""

from __future__ import annotations

import inspect
import re
import textwrap

import pacer_core
from pacer_core import hookspecs

WIDTH = 110
HEAD = """\
# Hooks

A plugin is a module that an entry point of the group `pacer` names. It implements some of these functions
and marks each with `pacer_core.hookimpl`; a misspelt one is an error when PACER starts.

What each gets and gives:

```python
{signatures}
```

A hook may leave out arguments that it does not need. [Begin a plugin](../how-to/begin-a-plugin.md) leads to a page for each kind.
"""
SECTION = """\
## {heading}

```{{eval-rst}}
{directives}
```
"""
IMPORTS = """\
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click
"""


def page() -> str:
    """Give the page about hooks."""
    sections = _sections()
    parts = [HEAD.format(signatures=_signatures([name for names in sections.values() for name in names]))]
    module = f".. currentmodule:: {hookspecs.__name__}\n\n"
    for heading, names in sections.items():
        directives = module + "\n".join(f".. autofunction:: {name}" for name in names)
        parts.append(SECTION.format(heading=heading, directives=directives))
        module = ""
    return "\n".join(parts)


def _sections() -> dict[str, list[str]]:
    """Give the names of the hooks, in the order of a message's life, by the headings above them."""
    _, *parts = re.split(r"^# --- (.+?) -+$", inspect.getsource(hookspecs), flags=re.MULTILINE)
    return {
        heading: re.findall(r"^def (pacer_\w+)", text, re.MULTILINE)
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
    }


def _signatures(hooks: list[str]) -> str:
    shown = [_signature(name) for name in hooks]
    ours = sorted(set(re.findall(r"\w+", " ".join(shown))) & set(pacer_core.__all__))
    lines = textwrap.wrap(", ".join(ours), WIDTH - len("from pacer_core import "))
    imports = "\n".join(f"from pacer_core import {line.rstrip(',')}" for line in lines)
    return "\n".join([f"{IMPORTS}{imports}\n\n", *shown])


def _signature(name: str) -> str:
    signature = inspect.signature(getattr(hookspecs, name))
    line = f"def {name}{_plain(str(signature))}: ..."
    if len(line) <= WIDTH:
        return line
    given = ", ".join(_plain(str(one)) for one in signature.parameters.values())
    return f"def {name}(\n    {given}\n) -> {signature.return_annotation}: ..."


def _plain(text: str) -> str:
    """Give annotations as they stand in the source, without the quotes of `inspect`."""
    return text.replace("'", "")
