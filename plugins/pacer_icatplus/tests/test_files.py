"""Which files may leave, whatever a message says and wherever links lead."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from pacer_core import NotYet, Reject, Retry, Secret
from pacer_icat import Dataset, FileRefusedError
from pacer_icat.datasets.task import DATASETS
from pacer_icatplus import IcatPlusOptions
from pacer_icatplus.files import Gallery, gallery_of, read
from plugins.pacer_icatplus.tests.support import PATHS, Visit, options_of


def message_of(visit: Visit, *named: object) -> Dataset:
    """Give the typed message."""
    import json

    from pacer_core.testing import deliver

    dataset: Dataset = deliver(DATASETS, json.dumps(visit.message(*named))).message
    return dataset


def options(visit: Visit, **changes: Any) -> IcatPlusOptions:
    """Allow the visit's folder."""
    return options_of("http://localhost", visit.root, **changes)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file outside the allowed folder, whose name begins like an allowed one."""
    file = tmp_path / "data-of-others" / "secret.png"
    file.parent.mkdir()
    file.write_bytes(b"secret")
    return file


def ways_out(visit: Visit, secret: Path) -> dict[str, str]:
    """Give paths that lead to the secret."""
    link = visit.location / "link.png"
    link.symlink_to(secret)
    chain = visit.location / "chain.png"
    chain.symlink_to(link)
    folder = visit.location / "folder"
    folder.symlink_to(secret.parent, target_is_directory=True)
    return {
        "absolute": str(secret),
        "dots": f"../../../{secret.parent.name}/secret.png",
        "dots inside": f"{visit.location}/../../../{secret.parent.name}/secret.png",
        "link": str(link),
        "chain of links": str(chain),
        "linked folder": str(folder / "secret.png"),
        "back and forth": f"folder/../../{secret.parent.name}/secret.png",
    }


def test_an_empty_list_of_files_is_none(visit: Visit) -> None:
    visit.write("a.png")
    dataset = message_of(visit, "none")
    empty = tuple(evolve(one, value=None) if one.name == PATHS else one for one in dataset.parameters)
    found = gallery_of(evolve(dataset, parameters=empty), options(visit))
    assert [os.path.basename(path) for path in found.paths] == ["a.png"]


def test_no_path_leads_out_of_the_allowed_folders(visit: Visit, secret: Path) -> None:
    for name, path in ways_out(visit, secret).items():
        with pytest.raises(Reject) as raised:
            gallery_of(message_of(visit, path), options(visit))
        assert [str(one) for one in raised.value.fields] == [
            "parameters[1].value: entry 1: outside the allowed roots"
        ], name
        with pytest.raises(FileRefusedError, match="outside"):
            read(os.path.join(visit.location, path), options(visit))


def test_what_is_outside_does_not_even_show_whether_it_is_there(visit: Visit, secret: Path) -> None:
    for path in (secret, secret.with_name("nothing.png")):
        with pytest.raises(Reject):
            gallery_of(message_of(visit, path), options(visit))


def test_a_link_inside_the_allowed_folders_may_be_followed(visit: Visit) -> None:
    file = visit.write("a.png")
    (visit.location / "b.png").symlink_to(file)
    gallery = gallery_of(message_of(visit, "b.png"), options(visit))
    assert gallery.paths == (f"{visit.location}/b.png",)
    assert read(gallery.paths[0], options(visit)) == b"a.png"


def test_a_root_may_be_a_link_itself(visit: Visit, tmp_path: Path) -> None:
    visit.write("a.png")
    (tmp_path / "alias").symlink_to(visit.root)
    ours = options_of("http://localhost", tmp_path / "alias")
    assert gallery_of(message_of(visit), ours).paths == (f"{visit.location}/gallery/a.png",)


def test_a_folder_that_becomes_a_link_between_look_and_open_gives_nothing_away(
    visit: Visit, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = visit.write("secret.png")
    opened = os.open

    def swapped(path: Any, flags: int, *more: Any, **others: Any) -> int:
        file.parent.rename(visit.location / "before")
        file.parent.symlink_to(secret.parent, target_is_directory=True)
        return opened(path, flags, *more, **others)

    monkeypatch.setattr("pacer_icat.disk.os.open", swapped)
    with pytest.raises(FileRefusedError, match="outside"):
        read(str(file), options(visit))


def test_only_regular_files_of_a_bearable_size_are_read(visit: Visit) -> None:
    os.mkfifo(visit.location / "pipe.png")
    (visit.location / "folder.png").mkdir()
    visit.write("large.png", b"x" * 11)
    named = ("pipe.png", "folder.png", "gallery/large.png", "fine\0.png")
    for name, reason in zip(named, ("no regular", "no regular", "larger than 10", "no path"), strict=True):
        with pytest.raises(FileRefusedError, match=reason):
            read(os.path.join(visit.location, name), options(visit, max_file_size=10))
    with pytest.raises(Reject) as raised:
        gallery_of(message_of(visit, *named[:3]), options(visit, max_file_size=10))
    assert [str(one) for one in raised.value.fields] == [
        "parameters[1].value: entry 1: no regular file",
        "parameters[1].value: entry 2: no regular file",
        "parameters[1].value: entry 3: larger than 10 bytes",
    ]


def test_named_files_that_are_not_there_are_waited_for(visit: Visit) -> None:
    visit.write("a.png")
    with pytest.raises(NotYet, match="not there: 1 of 2"):
        gallery_of(message_of(visit, "gallery/a.png", "gallery/b.png"), options(visit))
    with pytest.raises(NotYet):
        read(f"{visit.location}/gallery/b.png", options(visit))


def test_named_files_keep_their_order_and_need_no_ending(visit: Visit) -> None:
    first, second = visit.write("z.dat"), visit.write("a.png")
    gallery = gallery_of(message_of(visit, f" {first} ", "gallery/a.png", "", first), options(visit))
    assert gallery == Gallery((str(first), str(second)))


def test_a_list_of_nothing_is_no_list(visit: Visit) -> None:
    file = visit.write("a.png")
    assert gallery_of(message_of(visit, " ", " "), options(visit)) == Gallery((str(file),))


def test_what_is_found_and_may_not_be_uploaded_is_left_out_and_counted(visit: Visit, secret: Path) -> None:
    file = visit.write("a.png")
    visit.write("b,c.png")
    visit.write("large.png", b"x" * 11)
    visit.write("text.txt")
    (visit.location / "gallery" / "secret.png").symlink_to(secret)
    (visit.location / "gallery" / "secrets").symlink_to(secret.parent, target_is_directory=True)
    (visit.location / "gallery" / "nowhere.png").symlink_to(visit.location / "nothing")
    assert gallery_of(message_of(visit), options(visit, max_file_size=10)) == Gallery(
        (str(file),),
        {"with a comma in its path": 1, "larger than 10 bytes": 1, "outside the allowed roots": 1},
    )


def test_a_gallery_folder_that_leads_out_is_not_even_listed(visit: Visit, secret: Path) -> None:
    (visit.location / "gallery").symlink_to(secret.parent, target_is_directory=True)
    assert gallery_of(message_of(visit), options(visit)) == Gallery((), {"outside the allowed roots": 1})


def test_a_dataset_without_a_gallery_has_none(visit: Visit) -> None:
    assert gallery_of(message_of(visit), options(visit)) == Gallery()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"allowed_roots": ()}, "names no folder"),
        ({"allowed_roots": ("/data", "relative")}, "folders, from / on"),
        ({"allowed_roots": ("/",)}, "folders, from / on"),
        ({"gallery_folder": "/gallery"}, "below the dataset's own"),
        ({"gallery_folder": "../gallery"}, "below the dataset's own"),
        ({"gallery_folder": ""}, "below the dataset's own"),
        ({"endings": ("png",)}, "endings such as .png"),
        ({"endings": ()}, "endings such as .png"),
        ({"max_file_size": 0}, "must be >= 1"),
        ({"url": "https://user:pass@example.org"}, "holds credentials"),
    ],
)
def test_options_that_cannot_serve_are_refused(changes: dict[str, Any], problem: str) -> None:
    given: dict[str, Any] = {
        "url": "https://example.org",
        "api_key": Secret("key"),
        "allowed_roots": ("/data",),
    }
    IcatPlusOptions(**given)
    with pytest.raises(ValueError, match=problem):
        IcatPlusOptions(**{**given, **changes})


@pytest.mark.parametrize("code", [errno.ESTALE, errno.EIO, errno.EACCES, errno.ENOTCONN, errno.EMFILE])
def test_a_drive_in_trouble_is_held_against_no_file(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    file = visit.write("a.png")

    def refuse(*_: Any, **more: Any) -> Any:
        raise OSError(code, os.strerror(code))

    for call, work in (
        ("open", lambda: read(str(file), options(visit))),
        ("open", lambda: gallery_of(message_of(visit, str(file)), options(visit))),
        ("open", lambda: gallery_of(message_of(visit), options(visit))),
        ("scandir", lambda: gallery_of(message_of(visit), options(visit))),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(f"pacer_icat.disk.os.{call}", refuse)
            with pytest.raises(Retry, match="for now"):
                work()
    assert read(str(file), options(visit))
