"""The service ``files``: it goes round its folders, and takes what is complete, one file after another."""

from __future__ import annotations

import math
import os
import select
from collections.abc import Iterable, Iterator
from pathlib import Path

from pacer_core import Seen, ServiceContext, ServiceType
from pacer_files.folder import Folder
from pacer_files.names import DONE, FAILED, TAKEN
from pacer_files.options import FilesOptions, WatchedFolder

_SLICE = 50  # files of one folder, before it is another one's turn
_GLANCE = 0.5  # seconds between looks whether the service is to end


def run(ctx: ServiceContext) -> None:
    """Send the files of all folders, until told to end."""
    options: FilesOptions = ctx.options
    folders = [Folder(ctx, one) for one in options.folders]
    said = ""
    is_ready = False
    try:
        while not ctx.stopping.is_set():
            more = False
            for folder in folders:
                folder.look()
                more |= _take_some(ctx, folder)
            trouble = "; ".join(one.trouble for one in folders if one.trouble)
            if trouble != said:
                said = trouble
                ctx.trouble(trouble)
                if trouble:
                    ctx.log.warning("%s", trouble)
            if not is_ready:
                is_ready = True
                ctx.ready()
            if not more and not ctx.stopping.is_set():
                _wait(folders)
    finally:
        for folder in folders:
            folder.close()


def _wait(folders: list[Folder]) -> None:
    """Wait until the system tells of something, or it is time to look."""
    poll = select.poll()
    for one in folders:
        if one.told_by is not None:
            poll.register(one.told_by, select.POLLIN)
    poll.poll(math.ceil(1000 * min(_GLANCE, *(one.wait() for one in folders))))


def _take_some(ctx: ServiceContext, folder: Folder) -> bool:
    """Take some files of a folder; say whether there may be more of them."""
    return all(not ctx.stopping.is_set() and folder.take() for _ in range(_SLICE))


def check(options: FilesOptions) -> Iterable[Seen]:
    """Look whether the folders are there and can be written; nothing is made to find out."""
    for one in options.folders:
        yield from _check(one)


def _check(watched: WatchedFolder) -> Iterator[Seen]:
    folder = Path(watched.path)
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "is not there"
        yield Seen(f"{folder} {what}", "make the folder, mount it, or correct its path")
        return
    device = folder.stat().st_dev
    wrong = 0
    for place in (folder, *(folder / name for name in (TAKEN, DONE, FAILED))):
        if not os.path.lexists(place):
            continue
        wrong += 1
        if not place.is_dir():
            yield Seen(f"{place} is no folder", "give it another name: PACER needs a folder there")
        elif not os.access(place, os.R_OK | os.W_OK | os.X_OK):
            yield Seen(
                f"{place} cannot be read and written",
                "let the account that PACER runs as read and write there",
            )
        elif place.stat().st_dev != device:
            yield Seen(
                f"{place} is on another disk", f"put it on the disk of {folder}: files are renamed into it"
            )
        else:
            wrong -= 1
    if not wrong:
        yield Seen(f"{folder} can be written")


FILES = ServiceType(
    name="files",
    options=FilesOptions,
    run=run,
    check=check,
    publishes=lambda options: [one.to for one in options.folders],
    counts=("files", "bytes", "failed"),
)
