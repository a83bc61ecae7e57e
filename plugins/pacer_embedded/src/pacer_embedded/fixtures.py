"""A broker for tests: pytest finds it when this package is installed."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def pacer_broker(tmp_path: Path) -> dict[str, str]:
    """Return the options of a broker of this test's own, as ``brokers: {main: ...}`` takes them."""
    return {"protocol": "sqlite", "path": str(tmp_path / "broker.db")}
