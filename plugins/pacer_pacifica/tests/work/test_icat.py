"""Bundles that end in ICAT: a dataset with its files, proposal, instrument, user and key-values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pacer_core import Outcome
from pacer_icat import ICAT, IcatClient
from pacer_pacifica.jobs import FAILED, OK
from pacer_pacifica.testing import PacificaServices
from pacer_pacifica.work.options import BundlesOptions, InIcatOptions
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.support import DEMO, icat_client, parameters_of
from plugins.pacer_pacifica.tests.work.site import Site
from plugins.pacer_pacifica.tests.work.support import CONTENTS, JAPANESE, bundle, rows

TERMS = {"submitter": 10, "project": DEMO, "instrument": 54}
OPTIONS = {
    "instruments": {"54": "bl06"},
    "users": {"10": "db/jdoe"},
    "name_key": "run",
    "sample_key": "sample",
}
KEYS = {"run": "run1", "sample": "Lysozyme", "scanType": "line", "of nobody": "x"}


@pytest.fixture
def icat(icat_server: IcatSandbox, site: Site, pacifica: PacificaServices) -> Iterator[IcatClient]:
    pacifica.facility.projects = {DEMO, "unknown"}
    site.archive_on_disk()
    with icat_client(icat_server) as icat:
        site.integrations[ICAT] = icat
        yield icat


def options_of(**changes: Any) -> BundlesOptions:
    return BundlesOptions(icat=InIcatOptions(**{**OPTIONS, **changes}))


def send(site: Site, data: bytes, **changes: Any) -> tuple[Any, Any]:
    job = site.upload(data)
    return job, site.work(job, options=options_of(**changes))


def test_a_bundle_is_a_dataset_in_icat(icat: IcatClient, site: Site, icat_client: Any) -> None:
    job, delivery = send(
        site, bundle(metadata=rows(terms=TERMS, key_values=KEYS)), submitter_role="Submitter"
    )
    assert delivery.outcome is Outcome.ACKED, delivery.error
    assert site.end(job) == (OK, "ingest metadata", 100.0)
    (dataset,) = icat_client.search(
        "SELECT d FROM Dataset d WHERE d.name = 'run1' INCLUDE d.investigation, d.sample, d.datafiles"
    )
    home = f"{site.archive}/jobs/{job.id}"
    assert (dataset.investigation.name, dataset.sample.name) == (DEMO, "Lysozyme")
    assert (dataset.location, dataset.complete) == (home, True)
    assert {file.location: file.fileSize for file in dataset.datafiles} == {
        path.replace("data", home, 1): len(content) for path, content in CONTENTS.items()
    }
    assert JAPANESE in {file.name for file in dataset.datafiles}
    assert all(Path(file.location).is_file() for file in dataset.datafiles)
    assert parameters_of(icat_client)["run1"] == {"scanType": "line"}
    users = icat_client.search(
        f"SELECT u.user.name FROM InvestigationUser u WHERE u.role = 'Submitter' "
        f"AND u.investigation.name = '{DEMO}'"
    )
    assert users == ["db/jdoe"]
    assert delivery.counts == {"unknown_parameters": 3}


def test_a_crash_before_the_end_of_the_job_leaves_one_dataset_and_one_user(
    icat: IcatClient, site: Site, icat_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = site.upload(bundle(metadata=rows(terms=TERMS, key_values=KEYS)))
    options = options_of(submitter_role="Submitter")
    for crashes in (True, True, False):
        with monkeypatch.context() as patched:
            if crashes:
                patched.setattr("pacer_pacifica.work.bundles.finish", crash)
            delivery = site.work(job, options=options)
        assert delivery.outcome is (Outcome.RETRIED if crashes else Outcome.ACKED), delivery.error
    assert site.end(job) == (OK, "ingest metadata", 100.0)
    assert icat_client.search("SELECT COUNT(d) FROM Dataset d WHERE d.name LIKE 'run1%'") == [1]
    assert icat_client.search("SELECT COUNT(u) FROM InvestigationUser u WHERE u.role = 'Submitter'") == [1]
    assert icat_client.search("SELECT COUNT(f) FROM Datafile f WHERE f.dataset.name = 'run1'") == [3]


def crash(*_: Any) -> None:
    raise RuntimeError("as if the worker had been killed")


def test_nobody_is_added_to_an_investigation_unless_that_is_wanted(
    icat: IcatClient, site: Site, icat_client: Any
) -> None:
    query = "SELECT COUNT(u) FROM InvestigationUser u"
    before = icat_client.search(query)
    _, delivery = send(site, bundle(metadata=rows(terms=TERMS)))
    assert delivery.outcome is Outcome.ACKED
    assert icat_client.search(query) == before


def test_a_job_waits_for_its_investigation(icat: IcatClient, site: Site) -> None:
    job, delivery = send(site, bundle(metadata=rows(terms={**TERMS, "project": "unknown"})))
    assert delivery.outcome is Outcome.RETRIED
    now = site.jobs.get(job.id)
    assert (now.state, now.task, now.complete) == (OK, "ingest metadata", False)
    assert "'unknown' is not in ICAT" in now.waits_for


def test_a_key_that_icat_does_not_know_is_refused_where_the_option_says_so(
    icat: IcatClient, site: Site
) -> None:
    job, delivery = send(
        site, bundle(metadata=rows(terms=TERMS, key_values=KEYS)), unknown_parameters="reject"
    )
    assert delivery.outcome is Outcome.DEAD
    assert site.end(job) == (FAILED, "ingest metadata", 0.0)
    assert "'of nobody' is no parameter type in ICAT" in site.jobs.get(job.id).exception


def test_bundles_of_one_name_are_datasets_of_their_own(
    icat: IcatClient, site: Site, icat_client: Any
) -> None:
    for _ in range(2):
        _, delivery = send(site, bundle(metadata=rows(terms=TERMS, key_values=KEYS)))
        assert delivery.outcome is Outcome.ACKED, delivery.error
    names = icat_client.search("SELECT d.name FROM Dataset d WHERE d.name LIKE 'run1%'")
    assert len(names) == 2
