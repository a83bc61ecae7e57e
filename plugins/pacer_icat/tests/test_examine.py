"""`pacer doctor` looks at an ICAT: each thing that is missing is named, with where it belongs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pacer_core import ConsumerType, Use
from pacer_icat import IcatClient
from pacer_icat.client import Shared
from pacer_icat.datasets.options import DatasetsOptions
from pacer_icat.datasets.task import DATASETS
from pacer_icat.examine import examine
from pacer_icat.plugin import pacer_consumers
from pacer_icat.rights import NEEDED
from pacer_icat.updates.archive import ArchiveStatusOptions
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.support import dataset_message, deliver_to, options_for

Look = Callable[..., tuple[str, list[tuple[str, str]]]]
TYPES: dict[str, ConsumerType] = {one.name: one for one in pacer_consumers()}


@pytest.fixture
def look(icat_server: IcatSandbox) -> Look:
    """Give what is well, in one text, and what is not, with its advice."""

    def look(
        *types: str, account: str = "root", given: dict[str, Any] | None = None, **options: Any
    ) -> tuple[str, list[tuple[str, str]]]:
        shared = Shared(options_for(icat_server, username=account, **options))
        uses = []
        for one in types:
            options_of = TYPES[one].options or dict
            uses.append(Use(f"my-{one}", one, (given or {}).get(one) or options_of()))
        seen = list(examine(IcatClient(shared), uses))
        shared.close()
        well = "; ".join(one.detail for one in seen if not one.advice)
        return well, [(one.detail, one.advice) for one in seen if one.advice]

    return look


def test_the_demo_facility_is_well_for_every_consumer(look: Look, plain: Any) -> None:
    before = [plain.search(f"SELECT COUNT(o) FROM {one} o") for one in plain.getEntityNames()]
    well, wrong = look(*TYPES)
    assert wrong == []
    assert "facility 'ALBA'" in well
    assert [plain.search(f"SELECT COUNT(o) FROM {one} o") for one in plain.getEntityNames()] == before


def test_a_facility_that_is_not_there_is_named_with_those_that_are(look: Look) -> None:
    _, ((detail, advice),) = look("datasets", facility="ALBQ")
    assert detail == "ICAT has no facility 'ALBQ'; it has 'ALBA'"
    assert "'facility'" in advice


def test_several_facilities_need_a_choice(look: Look, plain: Any) -> None:
    plain.new("Facility", name="Other").create()
    _, ((detail, advice),) = look("datasets")
    assert "several facilities" in detail
    assert "'ALBA', 'Other'" in detail
    assert "facility" in advice


def test_dataset_types_that_options_name_have_to_be_there(look: Look) -> None:
    _, ((detail, advice),) = look("datasets", given={"datasets": DatasetsOptions(raw_type="unheard")})
    assert detail.startswith("ICAT has no DatasetType 'unheard'; it has 'acquisition'")
    assert "rawType" in advice


@pytest.mark.parametrize(
    ("consumer", "name", "owner"),
    [
        ("dataset-statistics", "__elapsedTime", "Dataset"),
        ("dataset-links", "input_datasetIds", "Dataset"),
        ("archive-status", "archived", "Dataset"),
    ],
)
def test_parameter_types_that_a_consumer_writes_have_to_be_there(
    look: Look, plain: Any, consumer: str, name: str, owner: str
) -> None:
    plain.deleteMany(plain.search(f"SELECT t FROM ParameterType t WHERE t.name = '{name}'"))
    _, wrong = look(consumer, given={"archive-status": ArchiveStatusOptions(parameter="archived")})
    assert any(name in detail and f"my-{consumer}" in detail and owner in advice for detail, advice in wrong)


@pytest.mark.parametrize("entity", ["Instrument", "InvestigationType", "DatasetType"])
def test_a_kind_of_which_nothing_is_there_is_named(look: Look, plain: Any, entity: str) -> None:
    plain.deleteMany(plain.search(f"SELECT o FROM {entity} o"))
    _, wrong = look("datasets", "investigations")
    assert any(f"shows no {entity}" in detail and f"read {entity}" in advice for detail, advice in wrong)


def test_rights_that_consumers_lack_are_named(look: Look, icat: IcatClient) -> None:
    deliver_to(DATASETS, dataset_message(), icat)
    _, ((detail, advice),) = look("datasets", "users", account="reader")
    for right in ("create Dataset,", "update Dataset", "create Datafile", "create User", "update User"):
        assert right in detail
    assert "read" not in detail
    assert "(needed by my-datasets, my-users)" in detail
    assert "rules" in advice


def test_an_account_that_may_see_nothing_is_told_so(look: Look, plain: Any) -> None:
    plain.deleteMany(plain.search("SELECT r FROM Rule r"))
    _, wrong = look("datasets", account="reader")
    assert (
        "ICAT shows no facility",
        "create the facility in ICAT, or give the account the right to read Facility",
    ) in wrong


def test_accounts_of_a_facility_have_all_rights(look: Look, icat: IcatClient) -> None:
    deliver_to(DATASETS, dataset_message(), icat)
    assert look(*TYPES, account="ingest")[1] == []


def test_who_counts_files_is_said(look: Look, icat_server: IcatSandbox, icat: IcatClient) -> None:
    assert "no dataset has files yet" in look("datasets")[0]
    old = IcatClient(Shared(options_for(icat_server, file_counts="database")))
    deliver_to(DATASETS, dataset_message(), old)
    old.shared.close()
    assert "PACER writes them" in look("datasets")[0]
    _, ((detail, advice),) = look("datasets", file_counts="database")
    assert "has 2 files and a fileCount of 0" in detail
    assert "leave 'fileCounts' out" in advice
    icat_server.triggers = True
    assert "fileCount is right" in look("datasets")[0]


def test_every_consumer_type_says_what_rights_it_needs() -> None:
    assert NEEDED.keys() == TYPES.keys()
