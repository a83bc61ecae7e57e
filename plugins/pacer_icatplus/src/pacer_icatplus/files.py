"""Which files make up a gallery, and how one is read without leaving the allowed folders."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence

from attrs import field, frozen

from pacer_core import BadField, NotYet, PacerError, Reject, Retry
from pacer_icat import Dataset, fold, is_of_the_path
from pacer_icatplus.options import IcatPlusOptions

PATHS = "ResourcesGalleryFilePaths"
"""The parameter in which a message names its images, separated by commas."""


class FileRefusedError(PacerError):
    """A file that may not be uploaded: the text says why, and not which."""


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
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe would keep us waiting
    try:
        descriptor = os.open(_resolved(path, options), flags)
    except FileNotFoundError:
        raise NotYet("a file of the gallery is not there") from None
    except OSError as error:
        raise _meant(error) from None
    try:
        # A folder on the way may have become a link between look and open.
        if not _inside(os.path.realpath(f"/proc/self/fd/{descriptor}"), options):
            raise FileRefusedError("outside the allowed roots")
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileRefusedError("no regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(options.max_file_size + 1)
    except OSError as error:
        raise _meant(error) from None
    finally:
        os.close(descriptor)
    if len(content) > options.max_file_size:
        raise FileRefusedError(f"larger than {options.max_file_size} bytes")
    return content


def _named(named: Sequence[str], location: str, options: IcatPlusOptions, field_path: str) -> tuple[str, ...]:
    paths = tuple(os.path.join(location, path) for path in named)
    bad: list[BadField] = []
    missing = 0
    for number, path in enumerate(paths, 1):
        try:
            _look(path, options)
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
    try:
        inside = _inside(os.path.realpath(folder, strict=True), options)
    except OSError as error:
        if is_of_the_path(error):
            return Gallery()
        raise _meant(error) from None
    if not inside:
        return Gallery(left_out={"outside the allowed roots": 1})
    for path in _images(folder, options.endings):
        try:
            if "," in path:
                raise FileRefusedError("with a comma in its path")
            _look(path, options)
        except FileNotFoundError:
            continue  # removed since it was listed, or a link to nowhere
        except FileRefusedError as error:
            left_out[str(error)] = left_out.get(str(error), 0) + 1
        else:
            paths.append(path)
    return Gallery(tuple(paths), left_out)


def _images(folder: str, endings: Sequence[str]) -> Iterator[str]:
    """Give the images in a folder and below it by their names; links to folders are not followed."""

    def failed(error: OSError) -> None:
        if not is_of_the_path(error):  # else removed since it was listed
            raise _meant(error) from None

    for here, folders, names in os.walk(folder, onerror=failed):
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith(tuple(one.lower() for one in endings)):
                yield os.path.join(here, name)


def _look(path: str, options: IcatPlusOptions) -> None:
    """Say what is known against a file before it is opened."""
    try:
        status = os.stat(_resolved(path, options))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _meant(error) from None
    if not stat.S_ISREG(status.st_mode):
        raise FileRefusedError("no regular file")
    if status.st_size > options.max_file_size:
        raise FileRefusedError(f"larger than {options.max_file_size} bytes")


def _meant(error: OSError) -> FileRefusedError | Retry:
    """Give what a refusal of the file system means: a drive in trouble is nothing against the file."""
    if is_of_the_path(error):
        return FileRefusedError(f"cannot be read ({error.strerror})")
    return Retry(f"the gallery cannot be read for now: {error.strerror}")


def _resolved(path: str, options: IcatPlusOptions) -> str:
    """Give where a path leads, all links followed."""
    if "\0" in path:
        raise FileRefusedError("no path")
    # Not strict: whether something is there, outside of the roots, is nobody's business.
    resolved = os.path.realpath(path)
    if not _inside(resolved, options):
        raise FileRefusedError("outside the allowed roots")
    return resolved


def _inside(resolved: str, options: IcatPlusOptions) -> bool:
    roots = (os.path.realpath(root) for root in options.allowed_roots)
    return any(os.path.commonpath((root, resolved)) == root for root in roots)
