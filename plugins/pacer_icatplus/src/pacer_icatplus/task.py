"""The gallery of a dataset, uploaded file by file; what ICAT+ has already is not uploaded again."""

from __future__ import annotations

import os

from pacer_core import Context, Reject, task
from pacer_icat import ICAT, Dataset, FileRefusedError, check_found, found_dataset
from pacer_icatplus.files import gallery_of, read
from pacer_icatplus.integration import ICATPLUS
from pacer_icatplus.progress import Image, load


@task(needs=[ICAT, ICATPLUS], after=["store_dataset"])
def upload_gallery(dataset: Dataset, ctx: Context) -> None:
    """Upload the images of a dataset to ICAT+, and write their ids into ICAT after each one."""
    icat, server = ctx[ICAT], ctx[ICATPLUS]
    dataset_id = found_dataset(dataset, ctx)
    gallery = gallery_of(dataset, server.options)
    for reason, number in gallery.left_out.items():
        ctx.log.warning("dataset %d: files of its gallery are left out (%d): %s", dataset_id, number, reason)
    if not gallery.paths:
        return
    investigation = icat.shared.catalogue.investigation_name(ctx.facts["investigation_id"])
    if investigation is None:
        raise Reject(
            f"the investigation of dataset {dataset_id} has been deleted from ICAT since it was stored"
        )
    check_found(dataset, ctx.facts["investigation_id"], investigation)
    progress = load(icat, dataset_id, gallery.paths)
    there = {image.path for image in progress.images}
    missing = [path for path in gallery.paths if path not in there]
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
