"""The spool's folder: made where it is meant to be, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from pacer_core import PacerError
from pacer_pacifica.service import SERVICE, ServiceOptions
from pacer_pacifica.service.options import Authentication
from pacer_pacifica.service.spool import make_spool


def said(spool: Path) -> list[str]:
    """Give what the doctor sees."""
    assert SERVICE.check is not None
    options = ServiceOptions(str(spool), "bundles", Authentication(anonymous="here"))
    return [one.detail for one in SERVICE.check(options)]


def test_a_folder_that_is_not_there_is_made_in_one_that_is(tmp_path: Path) -> None:
    assert said(tmp_path / "spool") == [
        f"{tmp_path}/spool is not there, and will be made: is it the right path?"
    ]
    make_spool(tmp_path / "spool")
    make_spool(tmp_path / "spool")
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700


def test_a_path_with_a_mistake_in_it_is_said_and_nothing_is_made(tmp_path: Path) -> None:
    spool = tmp_path / "dta" / "pacifica" / "spool"
    with pytest.raises(
        PacerError, match=f"there is no {spool.parent} .*, only {tmp_path}: correct 'spool', mount"
    ):
        make_spool(spool)
    assert list(tmp_path.iterdir()) == []
    assert said(spool) == [f"{spool} is not there"]


def test_a_spool_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("")
    with pytest.raises(PacerError, match="is no folder"):
        make_spool(tmp_path / "spool")
