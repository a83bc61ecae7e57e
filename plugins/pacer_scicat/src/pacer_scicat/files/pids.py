"""The pid of a file's dataset, by the policy of the options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

from pacer_scicat.files.options import PidOptions

_NAMESPACE = UUID("8d3f6a52-6a44-5d1c-9d3e-3d1f0a9d6b77")
"""Of the pids that PACER makes: never to be changed, or every file gets a second dataset."""


def with_pid(fields: Mapping[str, Any], options: PidOptions, job: str) -> dict[str, Any]:
    """Give a dataset's fields with the pid that it is to have, or without one.

    ``job`` is what a pid is generated from: the same one gives the same pid.
    """
    held = {name: value for name, value in fields.items() if name != "pid"}
    if options.policy == "server":
        return held
    pid = str(uuid5(_NAMESPACE, job)) if options.policy == "generated" else fields.get("pid")
    if pid in (None, ""):
        return held
    text = str(pid)
    return {**held, "pid": f"{options.prefix}/{text}" if options.prefix and "/" not in text else text}
