"""The section ``keySpaces:``: names that consumers have, and queues that nobody else has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pacer_core.config.document import Document, Path_
from pacer_core.config.model import ConsumerPlan, KeySpace, Queue
from pacer_core.config.problems import Code
from pacer_core.config.sections import A_LIST, structure
from pacer_core.model.queue_names import dead_queue
from pacer_core.model.suggestions import hint


def key_spaces(
    document: Document, plans: Sequence[ConsumerPlan | None], queues: Iterable[Queue]
) -> Mapping[str, KeySpace]:
    """Give those that have partitions, by name, and note what is wrong with the others."""
    data = document.data.get("keySpaces")
    if data is not None and not isinstance(data, list):
        document.report(("keySpaces",), f"'keySpaces' {A_LIST}", Code.WRONG_TYPE)
        return {}
    whole = all(plan is not None for plan in plans)
    known = {plan.key_space for plan in plans if plan is not None} - {None}
    taken = {name for queue in queues for name in (queue.name, dead_queue(queue.name))}
    spaces: dict[str, KeySpace] = {}
    for index, item in enumerate(data or ()):
        path: Path_ = ("keySpaces", index)
        space = structure(document, path, item, KeySpace)
        if space is None:
            continue
        if space.name in spaces:
            document.report((*path, "name"), f"key space {space.name!r} is there twice", Code.DUPLICATE_NAME)
        elif space.name not in known and whole:
            names = sorted(str(one) for one in known)
            meant = hint(space.name, names) or (f"; there are: {', '.join(names)}" if names else "")
            said = f"no consumer's messages have keys of key space {space.name!r}{meant}"
            document.report((*path, "name"), said, Code.UNKNOWN_NAME)
        for name in [space.prefix, *space.queues]:
            if name in taken or dead_queue(name) in taken:
                at = (*path, "queue") if space.queue else (*path, "name")
                document.report(
                    at, f"there is a queue {name!r} already: give another 'queue'", Code.DUPLICATE_NAME
                )
            taken |= {name, dead_queue(name)}
        spaces.setdefault(space.name, space)
    return spaces
