"""The gallery of a dataset, uploaded file by file; what ICAT+ has already is not uploaded again."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pacer_core import Context, Planned, Reject, task
from pacer_icat import ICAT, Dataset, FileRefusedError, check_found, found_dataset
from pacer_icatplus.files import PATHS, gallery_of, read
from pacer_icatplus.integration import ICATPLUS
from pacer_icatplus.progress import Image, load

_NEW = 0
"""In the place of the id of a dataset that is not there yet: no dataset of ICAT has it."""


def foresee_gallery(dataset: Dataset, ctx: Context) -> Iterator[Planned]:
    """Say what `upload_gallery` would do: how many images, without their names."""
    icat, gallery = ctx[ICAT], gallery_of(dataset, ctx[ICATPLUS].options)
    for reason, number in gallery.left_out.items():
        yield Planned(_images(number), "left-out", reason)
    if not gallery.paths:
        return
    _investigation(dataset, ctx)
    dataset_id = found_dataset(dataset, ctx) if "dataset_id" in ctx.facts else _NEW
    progress = load(icat, dataset_id, gallery.paths)
    missing = progress.missing(gallery.paths)
    fitting = next(n for n in range(len(missing), -1, -1) if progress.has_room_for(*missing[:n]))
    if fitting:
        yield Planned(_images(fitting), "new")
    if progress.is_torn:
        yield Planned(f"parameter {PATHS!r}", "changed", "to be brought in line with the ids")
    if there := len(gallery.paths) - len(missing):
        yield Planned(_images(there), "there")
    if left := len(missing) - fitting:
        yield Planned(_images(left), "left-out", "ICAT's parameters hold no more")


def _images(number: int) -> str:
    return f"{number} image{'' if number == 1 else 's'} of the gallery"


@task(needs=[ICAT, ICATPLUS], after=["store_dataset"], plan=foresee_gallery)
def upload_gallery(dataset: Dataset, ctx: Context) -> None:
    """Upload the images of a dataset to ICAT+, and write their ids into ICAT after each one."""
    icat, server = ctx[ICAT], ctx[ICATPLUS]
    dataset_id = found_dataset(dataset, ctx)
    gallery = gallery_of(dataset, server.options)
    for reason, number in gallery.left_out.items():
        ctx.log.warning("dataset %d: files of its gallery are left out (%d): %s", dataset_id, number, reason)
    if not gallery.paths:
        return
    investigation = _investigation(dataset, ctx)
    progress = load(icat, dataset_id, gallery.paths)
    progress.mend()
    missing = progress.missing(gallery.paths)
    for number, path in enumerate(missing):
        if not progress.has_room_for(path):
            ctx.log.warning(
                "dataset %d: files of its gallery are left out (%d): ICAT's parameters hold no more",
                dataset_id,
                len(missing) - number,
            )
            return
        try:
            content = read(path, server.options)
        except FileRefusedError as error:
            raise Reject(f"a file of the gallery may not be uploaded: {error}") from None
        uploaded = server.upload(
            os.path.basename(path),
            content,
            dataset=dataset_id,
            investigation=investigation,
            instrument=dataset.instrument,
        )
        progress.add(Image(path, uploaded))


def _investigation(dataset: Dataset, ctx: Context) -> str:
    """Give the name of the dataset's investigation, after looking whether it is the one that was found.

    Raises
    ------
    Reject
        Where it is not, or not there any more.
    """
    id_ = ctx.facts["investigation_id"]
    name = ctx[ICAT].shared.catalogue.investigation_name(id_)
    if name is None:
        raise Reject(
            f"investigation {id_} of the dataset has been deleted from ICAT since the dataset was stored"
        )
    check_found(dataset, id_, name)
    return name
