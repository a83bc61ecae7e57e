"""What storing a file would change in SciCat and beside the file; it writes nothing."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator

import attrs

from pacer_core import Context, Planned, Reject
from pacer_icat import FileRefusedError, Roots
from pacer_scicat.files.listing import sidecar_folder, sidecar_names
from pacer_scicat.files.message import NexusFile
from pacer_scicat.files.options import NexusFilesOptions, Sidecars
from pacer_scicat.foresee import counted, foresee_record
from pacer_scicat.integration import SCICAT
from pacer_scicat.writing import MessageFacts

_NAMED = 5
"""Values that are missing and named, at most."""


def foresee_nexus_file(message: NexusFile, ctx: Context) -> list[Planned]:
    """Say what `store_nexus_file` would do; the file is read for that, and not hashed."""
    # Imported here: numpy and HDF5 are for workers.
    from pacer_scicat.files.record import path_of, prepare

    options: NexusFilesOptions = ctx.options
    unhashed = attrs.evolve(options, hash=None, sidecars=Sidecars())
    ready = prepare(message, unhashed, ctx[SCICAT])
    said = list(foresee_record(ready.record, ctx[SCICAT], MessageFacts(ctx.facts), options.patience))
    said += _foresee_sidecars(path_of(message, options), options)
    if failures := ready.failures():
        named = "; ".join(f"{name}: {why}" for name, why in list(failures.items())[:_NAMED])
        said.append(Planned(counted(len(failures), "value"), "left-out", named))
    return said


def _foresee_sidecars(path: str, options: NexusFilesOptions) -> Iterator[Planned]:
    folder, roots = sidecar_folder(path, options.sidecars), Roots(options.allowed_roots)
    for name in sidecar_names(path, options):
        place = posixpath.join(folder, name)
        try:
            is_there = os.path.exists(roots.resolved(place))
        except FileRefusedError as error:
            raise Reject(f"the folder for sidecars of the file: {error}; correct sidecars.folder") from None
        yield Planned(f"file {place}", "there" if is_there else "new")
