"""The message of a run that starts (``pl72``), and the task that finds or creates its sample."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import field, frozen

from pacer_core import ConsumerType, Context, Planned, Reject, Text, task
from pacer_scicat.integration import SCICAT
from pacer_scicat.samples import find


@frozen
class RunStart:
    """A run that starts; ``nexus_structure`` is the tree of its file to be, as JSON."""

    instrument_name: Text
    nexus_structure: str = ""
    job_id: str | None = None
    run_name: str | None = None
    filename: str | None = None
    service_id: str | None = None
    start_time: int | None = None
    stop_time: int | None = None
    metadata: str | None = None
    broker: str | None = None
    control_topic: str | None = None
    detector_spectrum_map: Any = None


@frozen
class SamplesOptions:
    """Where a run names its sample, and whose that is.

    Attributes
    ----------
    name_path
        The path of the sample's name in the file to be.
    proposal_path
        The path of the proposal's id.
    owner_group
        The group that owns samples; ``{proposal}`` stands for the proposal's id.
    access_groups
        Further groups that may see them.
    is_published
        Whether everybody may.
    """

    name_path: str = "/entry/sample/name"
    proposal_path: str = "/entry/experiment_identifier"
    owner_group: str = "{proposal}"
    access_groups: tuple[str, ...] = ()
    is_published: bool = field(default=False)


def foresee_sample(message: RunStart, ctx: Context) -> list[Planned]:
    """Say what `store_sample` would do."""
    named = _named(message, ctx.options)
    if named is None:
        return []
    sample_id, planned = find.foresee(ctx[SCICAT], *named, create=True)
    ctx.facts["scicat_sample"] = sample_id
    return [planned]


@task(needs=[SCICAT], plan=foresee_sample)
def store_sample(message: RunStart, ctx: Context) -> None:
    """Find the sample of a run, or create it; the same one twice is one."""
    options: SamplesOptions = ctx.options
    named = _named(message, options)
    if named is None:
        ctx.log.info("the run names no sample at %s", options.name_path)
        return
    _, proposal = named
    fields = {
        "ownerGroup": options.owner_group.replace("{proposal}", proposal),
        "accessGroups": list(options.access_groups),
        "isPublished": options.is_published,
    }
    sample_id = find.find_or_create(ctx[SCICAT], *named, fields)
    ctx.facts["scicat_sample"] = sample_id
    ctx.log.info("SciCat has the sample %s", sample_id)


def _named(message: RunStart, options: SamplesOptions) -> tuple[str, str] | None:
    """Give the names of a run's sample and proposal; ``None`` where it has no sample.

    Raises
    ------
    Reject
        Where it has a sample and no proposal, or its tree cannot be read.
    """
    tree = _tree(message)
    name, proposal = value_at(tree, options.name_path), value_at(tree, options.proposal_path)
    if name is None:
        return None
    if proposal is None:
        raise Reject(f"the run names a sample, and no proposal at {options.proposal_path}")
    return name, proposal


def _tree(message: RunStart) -> Any:
    try:
        return json.loads(message.nexus_structure or "{}")
    except (ValueError, RecursionError) as error:
        raise Reject(f"nexus_structure is no JSON: {error}") from None


def value_at(tree: Any, path: str) -> str | None:
    """Give the text at a path of a file-writer's tree: groups by their names, datasets with their values."""
    at: Any = tree
    for name in [one for one in path.split("/") if one]:
        at = next((one for one in _children(at) if _name(one) == name), None)
        if at is None:
            return None
    config = at.get("config") if isinstance(at, Mapping) else None
    held_value = (config if isinstance(config, Mapping) else at).get("values")
    while isinstance(held_value, list) and len(held_value) == 1:
        held_value = held_value[0]
    text = "" if held_value is None or isinstance(held_value, list | Mapping) else str(held_value).strip()
    return text or None


def _children(node: Any) -> Iterator[Mapping[str, Any]]:
    children = node.get("children") if isinstance(node, Mapping) else None
    yield from (one for one in children or () if isinstance(one, Mapping))


def _name(node: Mapping[str, Any]) -> Any:
    config = node.get("config")
    return node.get("name") or (config.get("name") if isinstance(config, Mapping) else None)


def describe(message: RunStart) -> dict[str, str]:
    """Give the identifiers by which people look for the message."""
    found: dict[str, str] = {"instrument": message.instrument_name}
    if message.job_id:
        found["job"] = message.job_id
    if message.run_name:
        found["run"] = message.run_name
    return found


SCICAT_SAMPLES = ConsumerType(
    name="scicat-samples",
    message=RunStart,
    tasks=[store_sample],
    options=SamplesOptions,
    describe=describe,
)
