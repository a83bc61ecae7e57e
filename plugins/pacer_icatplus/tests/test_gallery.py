"""Galleries from the message to ICAT+, against the vendor's mock, and back into ICAT."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import attrs
import pytest

from pacer_core import Outcome
from pacer_http.testing import FAULTS, Reply, Request, StandIn
from pacer_icat import IcatClient
from pacer_icat.client import Shared
from pacer_icatplus import IcatPlus
from pacer_icatplus.integration import ICATPLUS
from pacer_icatplus.plugin import pacer_integrations, pacer_tasks
from pacer_sandbox import IcatSandbox
from plugins.pacer_icat.tests.support import options_for
from plugins.pacer_icatplus.tests.support import (
    IDS,
    KEY,
    PATHS,
    Send,
    Visit,
    client_of,
    content_of,
    deliver_to,
    in_icat,
    options_of,
)
from plugins.pacer_icatplus.tests.vendor import Proxy


def contents(proxy: Proxy) -> list[bytes]:
    """Give the files that ICAT+ has taken, in order; each holds its name."""
    return [content_of(body) for body, _ in proxy.stored]


def given_ids(proxy: Proxy) -> list[str]:
    """Give the ids that ICAT+ gave."""
    return [given for _, given in proxy.stored]


def test_the_images_in_the_gallery_folder_are_uploaded_in_order_and_once(
    send: Send, visit: Visit, icat: IcatClient, proxy: Proxy
) -> None:
    files = [visit.write(name) for name in ("a.png", "b.JPG", "z.svg", "below/c.tif")]
    visit.write("notes.txt")

    delivery = send(visit.message())

    assert delivery.error is None
    assert delivery.outcome is Outcome.ACKED
    assert contents(proxy) == [b"a.png", b"b.JPG", b"z.svg", b"below/c.tif"]
    assert in_icat(icat.shared) == ([str(file) for file in files], given_ids(proxy))


def test_an_upload_is_what_the_vendor_s_client_would_send(
    send: Send, visit: Visit, service: StandIn, icat: IcatClient
) -> None:
    visit.write("a.png", b"\x89PNG")
    delivery = send(visit.message())
    (request,) = service.requests
    assert request.method == "POST"
    assert request.path == "/dataacquisition/elogbook-0000%20secret%2Fkey/base64"
    assert dict(request.query) == {"investigationName": "20250330096", "instrumentName": "bl06"}
    assert request.headers["content-type"] == "application/json"
    assert request.json() == {
        "base64": "data:image/png;base64,iVBORw==",
        "datasetId": delivery.facts["dataset_id"],
        "software": "PACER",
    }


def test_the_images_that_a_message_names_are_uploaded_instead(
    send: Send, visit: Visit, icat: IcatClient, proxy: Proxy
) -> None:
    visit.write("a.png")
    files = [visit.write("z.dat"), visit.write("b.png")]
    assert send(visit.message(files[0], "gallery/b.png")).outcome is Outcome.ACKED
    assert contents(proxy) == [b"z.dat", b"b.png"]
    assert in_icat(icat.shared) == ([str(file) for file in files], given_ids(proxy))


def test_a_dataset_given_by_the_id_of_its_investigation_has_a_gallery_too(
    send: Send, visit: Visit, icat: IcatClient, service: StandIn
) -> None:
    visit.write("a.png")
    (found,) = icat.shared.wire.search("SELECT o.id FROM Investigation o WHERE o.name = '20250330096'")
    assert send(visit.message(investigation=None, investigation_id=found)).outcome is Outcome.ACKED
    assert service.requests[0].query["investigationName"] == "20250330096"


def test_a_dataset_without_images_asks_icat_plus_nothing(send: Send, visit: Visit, service: StandIn) -> None:
    assert send(visit.message()).outcome is Outcome.ACKED
    assert service.requests == []


def test_images_that_come_later_are_uploaded_behind_those_that_are_there(
    send: Send, visit: Visit, icat: IcatClient, proxy: Proxy
) -> None:
    second = visit.write("b.png")
    send(visit.message())
    first = visit.write("a.png")
    send(visit.message())
    assert contents(proxy) == [b"b.png", b"a.png"]
    assert in_icat(icat.shared) == ([str(second), str(first)], given_ids(proxy))


def test_files_that_may_not_be_uploaded_make_the_message_dead_and_the_dataset_stays(
    send: Send, visit: Visit, icat: IcatClient, service: StandIn
) -> None:
    visit.write("a.png")
    delivery = send(visit.message("gallery/a.png", "/etc/passwd"))
    assert delivery.outcome is Outcome.DEAD
    assert delivery.done == ("store_dataset",)
    assert [str(one) for one in delivery.bad_fields] == [
        "parameters[1].value: entry 2: outside the allowed roots"
    ]
    assert "passwd" not in str(delivery.error)
    assert service.requests == []
    assert icat.shared.wire.search("SELECT COUNT(d) FROM Dataset d") == [1]


def test_a_file_that_becomes_a_way_out_while_others_are_uploaded_is_not_read(
    visit: Visit, icat: IcatClient, proxy: Proxy, tmp_path: Path
) -> None:
    """It was looked at with all others before the first upload; here it changes at the first upload."""
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    visit.write("a.png")
    file = visit.write("b.png")

    def swap(request: Request) -> Reply:
        file.unlink()
        file.symlink_to(secret)
        return proxy.answer(request)

    with StandIn(swap) as service, client_of(service, visit.root) as server:
        delivery = deliver_to(icat, server, visit.message(), twice=False)
    assert delivery.outcome is Outcome.DEAD
    assert "outside the allowed roots" in str(delivery.error)
    assert contents(proxy) == [b"a.png"]


def test_a_named_image_that_is_not_there_is_waited_for(send: Send, visit: Visit, proxy: Proxy) -> None:
    visit.write("a.png")
    delivery = send(visit.message("gallery/a.png", "gallery/b.png"))
    assert [one.kind for one in delivery.failures] == ["not-yet"]
    assert proxy.stored == []


def test_what_is_left_out_of_a_gallery_is_a_warning(
    send: Send, visit: Visit, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    visit.write("a,b.png")
    visit.write("c.png")
    assert send(visit.message()).outcome is Outcome.ACKED
    assert contents(proxy) == [b"c.png"]
    assert "files of its gallery are left out (1): with a comma in its path" in caplog.text


def test_a_reprocessing_with_as_many_images_gets_its_own(
    send: Send, visit: Visit, icat: IcatClient, proxy: Proxy
) -> None:
    """The message replaces the paths in ICAT, and leaves the ids of the earlier images there."""
    for index in (1, 2):
        file = visit.write(f"{index}.png")
        message = visit.message(file, start_date=f"2025-07-15T10:00:0{index}+02:00")
        message["parameters"] += [
            {"name": "input_datasets", "value": "/data/raw"},
            {"name": "Process_sequence_index", "value": index},
        ]
        assert send(message).outcome is Outcome.ACKED
    assert contents(proxy) == [b"1.png", b"2.png"]
    assert in_icat(icat.shared) == ([str(file)], given_ids(proxy)[1:])


def test_a_gallery_that_another_program_has_written_is_left_as_it_is(
    send: Send, visit: Visit, icat: IcatClient, proxy: Proxy
) -> None:
    file = visit.write("a.png")
    send(visit.message())
    wire = icat.shared.wire
    (ids,) = wire.search("SELECT p FROM DatasetParameter p WHERE p.type.name = :name INCLUDE 1", name=IDS)
    wire.update(ids, stringValue="by-hand", error=None)
    assert send(visit.message()).outcome is Outcome.ACKED
    assert len(proxy.stored) == 1
    assert in_icat(icat.shared) == ([str(file)], ["by-hand"])


def test_a_gallery_that_icat_cannot_hold_keeps_what_fits(
    send: Send, visit: Visit, icat: IcatClient, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    folder = "f" * 200
    for number in range(20):
        visit.write(f"{folder}/{number:02}.png")
    assert send(visit.message()).outcome is Outcome.ACKED
    paths, ids = in_icat(icat.shared)
    assert len(paths) == len(ids) == len(proxy.stored)
    assert 0 < len(paths) < 20
    assert len(",".join(paths)) <= 4000 < len(",".join(paths)) + len(paths[0]) + 1
    assert f"files of its gallery are left out ({20 - len(paths)})" in caplog.text


def test_parameter_types_that_icat_lacks_are_waited_for(
    icat_server: IcatSandbox, server: IcatPlus, visit: Visit, service: StandIn
) -> None:
    visit.write("a.png")
    shared = Shared(options_for(icat_server))
    delivery = deliver_to(IcatClient(shared), server, visit.message())
    shared.close()
    assert [one.kind for one in delivery.failures] == ["not-yet"]
    assert f"named {IDS}" in str(delivery.error)
    assert PATHS not in str(delivery.error)
    assert service.requests == []


def test_a_refusal_by_icat_plus_is_for_a_person(
    send: Send, visit: Visit, icat: IcatClient, proxy: Proxy
) -> None:
    """The vendor's mock refuses investigations with 666 in their name."""
    visit.write("a.png")
    (found,) = icat.shared.wire.search("SELECT o.id FROM Investigation o WHERE o.name = '20250330096'")
    record = icat.shared.wire.read("Investigation", found)
    assert record is not None
    icat.shared.wire.update(record, name="666")
    delivery = send(visit.message(investigation="666"))
    assert delivery.outcome is Outcome.DEAD
    assert "400" in str(delivery.error)
    assert proxy.stored == []


def test_the_plugin_adds_its_task_to_datasets_alone() -> None:
    assert [one.name for one in pacer_tasks("datasets")] == ["upload_gallery"]
    assert list(pacer_tasks("users")) == []
    assert [one.name for one in pacer_integrations()] == ["icatPlus"]


# --- the key -----------------------------------------------------------------------------------------


def test_the_key_is_in_no_log_and_no_error_at_any_level(
    icat: IcatClient, visit: Visit, service: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    said: list[Any] = []
    visit.write("a.png")
    with caplog.at_level(logging.DEBUG), ICATPLUS.open(options_of(service.url, visit.root)) as server:
        for fault in ("reset", "cut", "html", "expired", "429", "500", "503"):
            service.fail(*[FAULTS[fault]] * 3)
            delivery = deliver_to(icat, server, visit.message(), twice=False)
            said += [delivery.error, delivery.failures, delivery.facts]
            service.behave()
        assert ICATPLUS.check is not None
        ICATPLUS.check(server)
        assert deliver_to(icat, server, visit.message(), twice=False).outcome is Outcome.ACKED
    raw = [f"{record.getMessage()} {record.args} {record.exc_text}" for record in caplog.records]
    everything = "\n".join([*raw, caplog.text, repr(said), json.dumps(said, default=str)])
    assert "request=<Request [b'POST']>" in everything  # httpcore did log
    assert [spelling for spelling in (KEY, "secret/key", "secret%2Fkey") if spelling in everything] == []


def test_the_integration_opens_checks_and_judges(service: StandIn, visit: Visit) -> None:
    assert ICATPLUS.check is not None
    with client_of(service, visit.root) as server:
        ICATPLUS.check(server)
        service.fail(FAULTS["expired"])
        with pytest.raises(Exception, match="credentials") as raised:
            ICATPLUS.check(server)
    assert ICATPLUS.is_away(raised.value)
    assert not ICATPLUS.is_away(ValueError())


def test_a_gallery_goes_to_no_dataset_of_another_investigation(
    send: Send, visit: Visit, icat: IcatClient, service: StandIn, proxy: Proxy
) -> None:
    visit.write("a.png")
    stored = send(visit.message())
    before = len(proxy.stored)
    forged = attrs.evolve(stored, done=("store_dataset",))
    other = visit.message(investigation="20250340039")
    with client_of(service, visit.root) as server:
        delivery = deliver_to(icat, server, other, after=forged, twice=False)
    assert delivery.outcome is Outcome.DEAD
    assert "not the one that the message names" in str(delivery.error)
    assert len(proxy.stored) == before
