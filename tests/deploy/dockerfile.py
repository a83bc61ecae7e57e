"""A Dockerfile, read: its stages and their steps, in the few words that ours uses."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

from attrs import define, field, frozen

RUNS = {"COPY", "RUN", "WORKDIR"}
"""Steps that change the files of a stage, in their order."""
SAYS = {"CMD", "ENTRYPOINT", "HEALTHCHECK", "USER", "VOLUME"}
"""What is said of the image, the last one of each."""
IGNORED = {"EXPOSE", "LABEL"}


@frozen
class Step:
    """One step: its word, what stands behind it, and the variables that hold when it runs."""

    word: str
    rest: str
    env: dict[str, str]


@define
class Stage:
    """What stands between two FROMs."""

    name: str
    base: str
    steps: list[Step] = field(factory=list)
    env: dict[str, str] = field(factory=dict)
    says: dict[str, str] = field(factory=dict)

    def command(self, word: str) -> list[str]:
        """Give ENTRYPOINT, CMD or HEALTHCHECK's command, written as a list."""
        text = self.says[word]
        found: list[str] = json.loads(text[text.index("[") :])
        return found


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Give each instruction's word and rest, its lines joined."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n\s*", " ", lines).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word.upper(), rest.strip()


def read(file: Path, arguments: dict[str, str] | None = None) -> list[Stage]:
    """Read a Dockerfile with build arguments.

    Raises ValueError for an instruction that this reader does not know: nothing is passed over silently.
    """
    given = arguments or {}
    outer: dict[str, str] = {}
    stages: list[Stage] = []
    args: dict[str, str] = {}
    for word, rest in instructions(file.read_text()):
        if word == "FROM":
            parts = Template(rest).substitute(outer).split()
            stages.append(Stage(parts[2] if len(parts) == 3 else str(len(stages)), parts[0]))
            args = {}
        elif word == "ARG":
            name, _, default = rest.partition("=")
            (value,) = shlex.split(default) or [""]
            (args if stages else outer)[name] = given.get(name, value)
        elif word == "ENV":
            _set(stages[-1].env, rest)
        elif word in RUNS:
            stages[-1].steps.append(Step(word, rest, {**args, **stages[-1].env}))
        elif word in SAYS:
            stages[-1].says[word] = rest
        elif word not in IGNORED:
            raise ValueError(f"{word} is not known to this reader: {rest}")
    return stages


def _set(env: dict[str, str], rest: str) -> None:
    before: dict[str, Any] = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin", **env}
    for word in shlex.split(rest):
        name, _, value = word.partition("=")
        env[name] = Template(value).substitute(before)
