"""The installed distributions: which there are, and whether their versions belong together."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution, entry_points

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

GROUP = "pacer"
CORE = "pacer-core"


def distributions() -> list[Distribution]:
    """Give the core, every distribution with a plugin, and those of the core's family that these need."""
    found: dict[str, Distribution] = {}
    waiting = [CORE, *(point.dist.name for point in entry_points(group=GROUP) if point.dist is not None)]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name not in found and (one := _installed(name)) is not None:
            found[name] = one
            waiting += [need.name for need in _needs(one) if _is_family(need.name)]
    first = found.pop(CORE, None)
    return [*([first] if first else []), *(found[name] for name in sorted(found))]


def mixed(these: Iterable[Distribution]) -> list[str]:
    """Say which of them need another one in a version that is not there, and the line that mends it."""
    known = list(these)
    versions = {canonicalize_name(one.name): one.version for one in known}
    wrong = [
        f"{one.name} {one.version} needs {need.name}{need.specifier}, and {versions[key]} is installed"
        for one in known
        for need in _needs(one)
        if (key := canonicalize_name(need.name)) in versions
        and not need.specifier.contains(versions[key], prereleases=True)
    ]
    if not wrong:
        return []
    return [*wrong[:-1], f"{wrong[-1]}: {mend(known)}"]


def mend(known: Iterable[Distribution]) -> str:
    """Give the command with which pip brings all of them to versions that belong together."""
    return f"pip install --upgrade {' '.join(one.name for one in known)}"


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _needs(one: Distribution) -> list[Requirement]:
    """Give what a distribution needs here, without extras; what cannot be read is pip's to complain about."""
    needs = []
    for text in one.requires or ():
        try:
            need = Requirement(text)
        except InvalidRequirement:
            continue
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            needs.append(need)
    return needs


def _is_family(name: str) -> bool:
    return canonicalize_name(name).startswith(CORE.partition("-")[0])
