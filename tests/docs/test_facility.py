"""The example of a facility: right, and complete. `tests/e2e/test_all_ends.py` runs it."""

import re

import pytest

from pacer_core.config import check
from pacer_core.plugins import load
from tests.docs.pages import ROOT
from tests.support import Site

EXAMPLE = ROOT / "examples" / "facility" / "pacer.yaml"
ENDS = {
    *("pacer-icat", "pacer-visa", "pacer-datacite", "pacer-panosc"),
    *("pacer-elastic", "pacer-icatplus", "pacer-dashboard-log"),
}


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in re.findall(r"!env (\w+)", EXAMPLE.read_text()):
        monkeypatch.setenv(name, "value")


def test_the_example_is_accepted_without_a_warning(site: Site) -> None:
    ran = site.pacer("config", "check", "-c", EXAMPLE)
    assert (ran.code, ran.err) == (0, "")
    assert "is fine: 8 consumers" in ran.out


def test_the_example_has_every_integration_of_the_ends_on() -> None:
    config, _ = check(EXAMPLE)
    assert config is not None
    enabled = {name for plan in config.consumers for name in plan.integrations}
    registered = {
        name
        for info in load().infos
        if info.distribution in ENDS
        for name in info.registers.get("integrations", ())
    }
    assert enabled == registered
