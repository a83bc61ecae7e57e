"""The example of a facility: right, and complete. `tests/e2e/test_all_ends.py` runs it."""

import re
from io import StringIO
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pacer_core.config import check
from pacer_core.plugins import load
from pacer_sandbox import IcatSandbox
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


PAGE = ROOT / "docs" / "how-to" / "set-up-a-facility.md"
MESSAGES = ROOT / "plugins" / "pacer_icat" / "tests" / "messages"


def test_every_message_of_step_4_is_handled_under_the_pages_configuration(
    site: Site, icat_server: IcatSandbox, tmp_path: Path
) -> None:
    page = PAGE.read_text()
    (text,) = re.findall(r"^The whole file.*?^```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    step = page.partition("\n## 4.")[2].partition("\n## 5.")[0]
    told = re.findall(r"^\$ pacer send --consumer (\S+) (\S+)$", step, re.MULTILINE)
    assert [consumer for consumer, _ in told] == ["users", "investigations", "datasets"]
    # All but where things are: a broker without exchanges, and the sandbox.
    config = YAML(typ="rt").load(text)
    config["brokers"]["main"] = {"protocol": "sqlite", "path": str(tmp_path / "broker.db")}
    del config["exchanges"], config["logging"]
    config["queues"] = [{"name": queue["name"]} for queue in config["queues"]]
    config["integrations"]["icat"] |= {
        "url": icat_server.url,
        "authenticator": "simple",
        "username": "root",
        "password": "secret",
    }
    config["processes"] = {"stateFolder": str(tmp_path / "state")}
    written = StringIO()
    YAML(typ="rt").dump(config, written)
    file = site.write(written.getvalue())
    for consumer, name in told:
        assert site.pacer("send", "-c", file, "--consumer", consumer, MESSAGES / name).code == 0
    ran = site.pacer("run", "--once", "--wait", "-c", file)
    assert "0 dead, 0 waiting" in ran.both
