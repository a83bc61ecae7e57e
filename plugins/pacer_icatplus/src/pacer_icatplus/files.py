"""Which files make up a gallery, and how one is read without leaving the allowed folders."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence

from attrs import field, frozen

from pacer_core import BadField, NotYet, Reject, Retry
from pacer_icat import (
    Dataset,
    FileRefusedError,
    Roots,
    entries,
    fold,
    is_of_the_path,
    looked_at,
    opened,
)
from pacer_icatplus.options import IcatPlusOptions

PATHS = "ResourcesGalleryFilePaths"
"""The parameter in which a message names its images, separated by commas."""
_DEEPEST = 100
"""Folders in one another below the gallery's own."""


@frozen
class Gallery:
    """The images of a dataset, in order; what was left out is counted by reason."""

    paths: tuple[str, ...] = ()
    left_out: dict[str, int] = field(factory=dict)


def gallery_of(dataset: Dataset, options: IcatPlusOptions) -> Gallery:
    """Give the images that a message names, or else those in the dataset's gallery folder.

    Raises
    ------
    Reject
        Where the message names files that may not be uploaded: all of them, by their places.
    NotYet
        Where a file that it names is not there.
    """
    for index, parameter in enumerate(dataset.parameters):
        if fold(parameter.name) == fold(PATHS) and parameter.value is not None:
            named = tuple(dict.fromkeys(split(str(parameter.value))))
            if named:
                return Gallery(_named(named, dataset.location, options, f"parameters[{index}].value"))
    return _found(os.path.join(dataset.location, options.gallery_folder), options)


def split(text: str) -> list[str]:
    """Give the entries of a list of paths; blanks around them do not count."""
    return [path.strip() for path in text.split(",") if path.strip()]


def read(path: str, options: IcatPlusOptions) -> bytes:
    """Give the content of a file.

    What is read is what was checked: the file is opened first, and then asked where it lies.

    Raises
    ------
    FileRefusedError
        Where it lies elsewhere, or is too large, or is no file.
    Retry
        Where the drive is in trouble, or PACER may not read it.
    NotYet
        Where it is not there.
    """
    try:
        with (
            opened(path, Roots(options.allowed_roots)) as (descriptor, _),
            os.fdopen(descriptor, "rb", closefd=False) as file,
        ):
            content = file.read(options.max_file_size + 1)
    except FileNotFoundError:
        raise NotYet("a file of the gallery is not there") from None
    except OSError as error:
        raise _meant(error) from None
    if len(content) > options.max_file_size:
        raise FileRefusedError(f"larger than {options.max_file_size} bytes")
    return content


def _named(named: Sequence[str], location: str, options: IcatPlusOptions, field_path: str) -> tuple[str, ...]:
    paths = tuple(os.path.join(location, path) for path in named)
    roots = Roots(options.allowed_roots)
    bad: list[BadField] = []
    missing = 0
    for number, path in enumerate(paths, 1):
        try:
            _look(path, roots, options)
        except FileNotFoundError:
            missing += 1
        except FileRefusedError as error:
            bad.append(BadField(field_path, f"entry {number}: {error}"))
    if bad:
        raise Reject("files of the gallery may not be uploaded", fields=bad)
    if missing:
        raise NotYet(f"files of the gallery are not there: {missing} of {len(paths)}")
    return paths


def _found(folder: str, options: IcatPlusOptions) -> Gallery:
    left_out: dict[str, int] = {}
    paths: list[str] = []
    roots = Roots(options.allowed_roots)
    try:
        real = roots.resolved(folder)
    except FileRefusedError as error:
        return Gallery(left_out={str(error): 1}) if os.path.isdir(folder) else Gallery()
    for path in _images(folder, real, roots, options.endings):
        try:
            if "," in path:
                raise FileRefusedError("with a comma in its path")
            _look(path, roots, options)
        except FileNotFoundError:
            continue  # removed since it was listed, or a link to nowhere
        except FileRefusedError as error:
            left_out[str(error)] = left_out.get(str(error), 0) + 1
        else:
            paths.append(path)
    return Gallery(tuple(paths), left_out)


def _images(folder: str, real: str, roots: Roots, endings: Sequence[str], depth: int = 0) -> Iterator[str]:
    """Give the images in a folder and below it by their names; links to folders are not followed."""
    try:
        held = entries(real, roots)
    except FileRefusedError:
        return  # it has become a link since
    except OSError as error:
        if is_of_the_path(error):  # removed since it was listed
            return
        raise _meant(error) from None
    for one in held:
        if one.kind != "folder" and one.name.lower().endswith(tuple(ending.lower() for ending in endings)):
            yield os.path.join(folder, one.name)
    for one in held:
        if one.kind == "folder" and depth < _DEEPEST:
            below = (os.path.join(folder, one.name), os.path.join(real, one.name))
            yield from _images(*below, roots, endings, depth + 1)


def _look(path: str, roots: Roots, options: IcatPlusOptions) -> None:
    """Say what is known against a file before it is opened."""
    try:
        with looked_at(path, roots) as (_, status):
            if not stat.S_ISREG(status.st_mode):
                raise FileRefusedError("no regular file")
            if status.st_size > options.max_file_size:
                raise FileRefusedError(f"larger than {options.max_file_size} bytes")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _meant(error) from None


def _meant(error: OSError) -> FileRefusedError | Retry:
    """Give what a refusal of the file system means: a drive in trouble is nothing against the file."""
    if is_of_the_path(error):
        return FileRefusedError(f"cannot be read ({error.strerror})")
    return Retry(f"the gallery cannot be read for now: {error.strerror}")
