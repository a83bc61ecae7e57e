"""The transport keeps what every one does."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pacer_folder.plugin import FOLDER, FolderOptions

from pacer_contract import Broker
from pacer_contract.tests import *  # noqa: F403


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """An empty broker."""
    with Broker(FOLDER, FolderOptions(folder=str(tmp_path))) as broker:
        yield broker
