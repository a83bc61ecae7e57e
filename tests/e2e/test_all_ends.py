"""The example of a facility, with all ends on: users, an investigation, its datasets, a DOI, a PaNOSC item.

Once with every end well, and once with every second call to every end failing: the end is the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pacer_core.config import load
from pacer_http.testing import EXPIRED, StandIn
from pacer_icat.client import Shared
from pacer_sandbox import IcatSandbox
from plugins.pacer_datacite.tests.lupo import Lupo, Repository
from plugins.pacer_elastic.tests.node import Node
from plugins.pacer_icat.tests.people import accounts, investigation_message, members, user_message
from plugins.pacer_icat.tests.support import dataset_message, options_for
from plugins.pacer_icatplus.tests.support import KEY, content_of, prepare
from plugins.pacer_icatplus.tests.vendor import Proxy, vendor_mock
from plugins.pacer_panosc.tests.services import Pss, SearchApi
from plugins.pacer_visa.tests.schema import VARIANTS
from tests.e2e.facility import Facility, configure, in_icat, in_visa
from tests.e2e.postgres_wire import PostgresWire
from tests.lab import Lab
from tests.services import PostgreSQL, RabbitMQ
from tests.support import Site

SECRETS = {
    "PACER_RABBIT_PASSWORD": "of-the-broker",
    "PACER_ICAT_PASSWORD": "secret",
    "PACER_VISA_PASSWORD": "of-visa",
    "PACER_DATACITE_PASSWORD": "of-datacite",
    "PACER_ELASTIC_PASSWORD": "of-elastic",
    "PACER_ICATPLUS_KEY": KEY,
}
NAME, VISIT = "20250900001", "bl06"
DOI = "10.5072/20250900001-bl06-7q3jnzwq"
PAGE = f"https://data.example.org/doi/{DOI}"
TITLE = "Diffraction of reference samples"
GRACE = user_message(
    id=8,
    first_name="Grace",
    last_name="H",
    email="grace@example.org",
    user_list=accounts("grace"),
    ORCID=None,
    is_staff=True,
)
VISIT_MESSAGE = investigation_message(
    visa_visit_id=int(NAME),
    user_list=[
        *members("Principal investigator", "ada"),
        *members("Participant", "ada2"),
        *members("Local contact", "grace"),
    ],
)
IN_ICAT = {
    "users": [
        ("ada", "Ada L", "ada@example.org"),
        ("ada2", "Ada L", "ada@example.org"),
        ("grace", "Grace H", "grace@example.org"),
    ],
    "visits": [(VISIT, TITLE, DOI)],
    "members": [("ada", "Principal investigator"), ("ada2", "Participant"), ("grace", "Local contact")],
    "datasets": [("made", "/made", "processed", "Lysozyme"), ("raw", "/raw", "acquisition", "Lysozyme")],
    "files": [("made", "a.h5"), ("made", "b.h5"), ("raw", "a.h5"), ("raw", "b.h5")],
    "links": [
        ("made", "__full_input_datasetNames", "raw"),
        ("raw", "ResourcesGalleryFilePaths", "/raw/gallery/a.png,/raw/gallery/b.png"),
        ("raw", "__full_output_datasetNames", "made"),
        ("raw", "output_datasetNames", "made"),
    ],
    "statistics": [
        ("__acquisitionDatasetCount", 1.0),
        ("__datasetCount", 2.0),
        ("__processedDatasetCount", 1.0),
    ],
}
IN_VISA = {
    "users": [("7", "Ada", "ada@example.org", 3, 2), ("8", "Grace", "grace@example.org", 3, 2)],
    "roles": [("8", "STAFF")],
    "employers": [(3, "Analytical Engines", "London", "GB")],
    "proposals": [(int(NAME), NAME, TITLE)],
    "experiments": [(f"{NAME}/{VISIT}", int(NAME), 6, DOI, PAGE)],
    "members": [(f"{NAME}/{VISIT}", "7"), (f"{NAME}/{VISIT}", "8")],
}


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the vendor's mock of ICAT+."""
    with vendor_mock(tmp_path_factory.mktemp("vendor") / "log") as port:
        yield port


@pytest.fixture
def visa_database(postgresql: PostgreSQL) -> Iterator[str]:
    """The name of a database of VISA's that this test alone uses."""
    name = "visa_all_ends"
    with psycopg.connect(postgresql.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    with psycopg.connect(postgresql.url(name), autocommit=True) as connection:
        connection.execute(VARIANTS["hibernate"].encode())
    yield name
    with psycopg.connect(postgresql.url(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(params=[False, True], ids=["well", "every-second-call-fails"])
def facility(
    request: pytest.FixtureRequest,
    site: Site,
    rabbitmq: RabbitMQ,
    rabbitmq_vhost: str,
    postgresql: PostgreSQL,
    visa_database: str,
    icat_server: IcatSandbox,
    icat_client: Any,
    vendor: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[Facility]:
    """A facility with all ends, well or not."""
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    lupo = Lupo(
        Repository("EXAMPLE.DATA", SECRETS["PACER_DATACITE_PASSWORD"], ("10.5072",), ("example.org",))
    )
    search, pss, node, images = SearchApi(), Pss(), Node(), Proxy(vendor)
    with closing(Shared(options_for(icat_server))) as shared:
        prepare(shared)
    lab = Lab(site, rabbitmq, rabbitmq_vhost)
    root = tmp_path / "data"
    with ExitStack() as stack:
        visa = stack.enter_context(closing(PostgresWire(postgresql.port)))
        answers = {
            "datacite": lupo.answer,
            "search": search.answer,
            "scoring": pss.answer,
            "elastic": node.answer,
            "icatplus": images.answer,
        }
        services = {name: stack.enter_context(StandIn(answer)) for name, answer in answers.items()}
        urls = {name: service.url for name, service in services.items()}
        here = "127.0.0.1"
        ends: dict[str, dict[str, Any]] = {
            "icat": {
                "url": icat_server.url,
                "authenticator": "simple",
                "username": "root",
                "timeZone": "Europe/Berlin",
            },
            "visa": {"host": here, "port": visa.port, "database": visa_database, "sslMode": "disable"},
            "datacite": {"system": urls["datacite"]},
            "panosc": {
                "searchUrl": f"{urls['search']}/api",
                "scoringUrl": urls["scoring"],
                "recomputeAfter": 0,
            },
            "elastic": {"url": urls["elastic"]},
            "icatPlus": {"url": urls["icatplus"]},
        }
        broker = {"host": here, "port": rabbitmq.port, "vHost": rabbitmq_vhost}
        site.write(configure(broker, ends, root, site.folder / "state"))
        stack.callback(lab.close)
        stack.callback(site.close)  # before what it talks to
        yield Facility(
            lab, icat_server, icat_client, root, postgresql.url(visa_database), visa, lupo, search, pss, node,
            images, services, request.param,
        )  # fmt: skip


def test_messages_reach_every_end_that_they_concern_once(facility: Facility) -> None:
    raw, made = gallery(facility.root, "raw", "a.png", "b.png"), facility.root / "made"
    facility.begin()

    facility.send("user", [user_message(), GRACE], users=2)
    facility.send("investigation", [VISIT_MESSAGE], investigations=1)
    stored = {"datasets": 1, "dataset_links": 1, "dataset_statistics": 1}
    facility.send("dataset", [dataset("raw", raw)], **stored)
    made_from = {"name": "input_datasets", "value": str(raw)}
    facility.send("dataset", [dataset("made", made, made_from)], **stored)
    facility.send("operation", [operation("mint-proposal")], investigation_operations=1)
    facility.search.documents.append({"pid": DOI, "isPublic": True, "title": TITLE})  # as its portal would
    facility.send("operation", [operation("create-panosc-item", "reindex")], investigation_operations=1)
    facility.behave()

    assert in_icat(facility.icat, NAME, facility.root) == IN_ICAT
    assert in_visa(facility.visa_url) == IN_VISA
    (doi,) = facility.lupo.dois.values()
    assert (doi.name, doi.state, doi.attributes["url"]) == (DOI, "findable", PAGE)
    assert [one["name"] for one in doi.attributes["creators"]] == ["L, Ada"]
    facility.pss.finish()
    assert facility.pss.items == {DOI: {"id": DOI, "group": "documents", "fields": {"title": TITLE}}}
    assert facility.pss.scored == {DOI}
    documents = facility.node.indexes["datasets"].values()
    assert sorted((one["name"], one["investigationDOI"]) for one in documents) == [
        ("made", DOI),
        ("raw", DOI),
    ]
    assert [content_of(body) for body, _ in facility.images.stored] == [b"a.png", b"b.png"]
    for queue in load(facility.lab.file).queues:
        assert facility.lab.waiting(queue.name) == facility.lab.waiting(f"{queue.name}.dead") == 0
    assert facility.failed == (set(facility.ends) if facility.fails else set())
    assert [secret for secret in SECRETS.values() if secret in facility.printed] == []


@pytest.mark.parametrize("facility", [False], indirect=True, ids=["well"])
def test_the_doctor_finds_all_ends_well(facility: Facility) -> None:
    ran = facility.lab.site.pacer("doctor", "-c", facility.lab.file)
    assert (ran.code, ran.err) == (0, ""), ran.both
    assert "all 9 are well" in ran.out
    assert [secret for secret in SECRETS.values() if secret in ran.both] == []


@pytest.mark.parametrize("facility", [False], indirect=True, ids=["well"])
def test_the_doctor_names_the_ends_that_do_not_let_it_in(
    facility: Facility, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "out-of-date")
    facility.sandbox.misbehave.fail("internal", every=1)
    for service in facility.services.values():
        service.fail(*[EXPIRED] * 3)
    ran = facility.lab.site.pacer("doctor", "--json", "-c", facility.lab.file)
    found = {one["name"]: one for one in json.loads(ran.out)["findings"]}
    assert ran.code == 69
    failing = {name for name, one in found.items() if not one["well"]}
    # The broker's password is not from the environment here, and the private PostgreSQL trusts everybody.
    assert failing == {"icat", "datacite", "panosc", "elastic", "icatPlus"}
    for name in ("datacite", "panosc", "elastic", "icatPlus"):
        assert "the credentials are wrong or have expired; renew them" in found[name]["detail"]
        assert f"integrations.{name}" in found[name]["advice"]
    assert "out-of-date" not in ran.both


def dataset(name: str, location: Path, *parameters: Mapping[str, str]) -> dict[str, Any]:
    return dataset_message(
        investigation=NAME,
        name=name,
        location=str(location),
        parameters=[*parameters],
        datafiles=[{"location": f"{location}/{file}"} for file in ("a.h5", "b.h5")],
    )


def gallery(root: Path, name: str, *images: str) -> Path:
    folder = root / name / "gallery"
    folder.mkdir(parents=True)
    for image in images:
        (folder / image).write_bytes(image.encode())
    return root / name


def operation(*names: str) -> dict[str, Any]:
    return {"name": NAME, "visit_id": VISIT, "operations": list(names)}
