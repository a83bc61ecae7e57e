"""Requests as odd clients send them, and what is refused on the way in."""

import http.client
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from lxml import etree

from pacer_sandbox import IcatSandbox
from pacer_sandbox.schema import Schema
from pacer_sandbox.sessions import Accounts, AccountsError

ENVELOPE = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:i="http://icatproject.org">'
    "<s:Body>{}</s:Body></s:Envelope>"
)
XS = "{http://www.w3.org/2001/XMLSchema}"


def test_the_wsdl_imports_an_xsd_with_every_field_of_every_entity(wire: Any) -> None:
    wsdl = etree.fromstring(wire.http("GET", "/ICATService/ICAT?wsdl")[1])
    place = urlsplit(next(wsdl.iter(f"{XS}import")).get("schemaLocation") or "")
    xsd = etree.fromstring(wire.http("GET", f"{place.path}?{place.query}")[1])

    types = {t.get("name"): t for t in xsd.iter(f"{XS}complexType")}

    def fields(name: str) -> list[str]:
        base = next((e.get("base") for e in types[name].iter(f"{XS}extension")), None)
        own = [str(e.get("name")) for e in types[name].iter(f"{XS}element")]
        return (fields(base.removeprefix("tns:")) if base else []) + own

    for entity in Schema.load():
        assert fields(entity.bean) == [f.name for f in entity.fields]
    operations = {e.get("name") for e in wsdl.iter("{http://schemas.xmlsoap.org/wsdl/}operation")}
    assert len(operations) == 20


@pytest.mark.parametrize(
    "body",
    [
        "no xml",
        "<a/>",
        ENVELOPE.format(""),
        ENVELOPE.format("<i:nosuch/>"),
        ENVELOPE.format("<search/>"),
        '<!DOCTYPE a [<!ENTITY x "y">]>' + ENVELOPE.format("<i:getVersion/>"),
    ],
)
def test_what_is_no_call_gets_a_plain_fault(wire: Any, body: str) -> None:
    status, answer = wire.http("POST", "/ICATService/ICAT", body.encode())

    assert status == 500
    assert b"faultstring" in answer
    assert b"IcatException" not in answer


def test_a_chunked_request_is_read(icat_server: IcatSandbox) -> None:
    parts = urlsplit(icat_server.url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port)

    def chunks() -> Iterator[bytes]:
        text = ENVELOPE.format("<i:getVersion/>").encode()
        yield text[:20]
        yield text[20:]

    for _ in range(2):  # the connection stays usable
        connection.request(
            "POST", "/ICATService/ICAT", chunks(), {"Content-Type": "text/xml"}, encode_chunked=True
        )
        answer = connection.getresponse()
        assert (answer.status, b"<return>6.2.0</return>" in answer.read()) == (200, True)
    connection.close()


def test_unreadable_values_vanish_over_soap_and_are_refused_over_rest(wire: Any, root: str) -> None:
    key = wire.create(
        root, "facility", "<daysUntilRelease>soon</daysUntilRelease><name>F</name><nosuch>1</nosuch>"
    )

    status, found = wire.rest("GET", "entityManager", sessionId=root, query="Facility", id=str(key))
    refused = wire.rest(
        "POST", "entityManager", sessionId=root, entities={"Facility": {"name": "G", "nosuch": 1}}
    )

    assert status == 200
    assert "daysUntilRelease" not in found["Facility"]
    assert refused == (
        400,
        {"code": "BAD_PARAMETER", "message": "Field nosuch not found in Facility", "offset": 0},
    )


def test_a_python_offset_without_a_colon_is_lost(wire: Any, root: str) -> None:
    investigation = wire.values(root, "SELECT i.id FROM Investigation i WHERE i.name = 'mx-123'")[0]
    kind = wire.values(root, "SELECT t.id FROM DatasetType t WHERE t.name = 'raw'")[0]

    wire.create(
        root,
        "dataset",
        f"<endDate>2025-07-15T12:00:00+0200</endDate><investigation><id>{investigation}</id></investigation>"
        f"<name>d</name><startDate>2025-07-15T12:00:00+02:00</startDate><type><id>{kind}</id></type>",
    )

    assert wire.values(root, "SELECT d.startDate FROM Dataset d") == ["2025-07-15T12:00:00+02:00"]
    assert wire.values(root, "SELECT COUNT(d) FROM Dataset d WHERE d.endDate IS NULL") == ["1"]


def test_the_zone_of_the_server_is_an_option(wire_at: Callable[[str], Any]) -> None:
    with IcatSandbox(zone="Asia/Tokyo", seed="demo") as icat:
        wire = wire_at(icat.url)
        found = wire.values(wire.login(), "SELECT i.startDate FROM Investigation i WHERE i.name = 'mx-123'")

    assert found == ["2025-07-14T15:00:00+09:00"]


def test_accounts_come_from_a_file(tmp_path: Path, wire_at: Callable[[str], Any]) -> None:
    accounts = tmp_path / "accounts.yaml"
    accounts.write_text("rootUserNames: [db/boss]\nauthenticators:\n  db: {boss: pass}\n  anon:\n")

    with IcatSandbox(accounts=accounts, seed="demo") as icat:
        wire = wire_at(icat.url)
        assert wire.values(wire.login("boss", "db", "pass"), "SELECT COUNT(u) FROM User u") != ["0"]
        session = wire.soap("login", "<plugin>anon</plugin><credentials/>")[0].text
        assert wire.soap("getUserName", f"<sessionId>{session}</sessionId>")[0].text == "anon/anon"
        with pytest.raises(AssertionError, match="SESSION"):
            wire.login("root")


@pytest.mark.parametrize("text", ["{}", "authenticators: [db]", "authenticators: {ldap: {a: b}}"])
def test_accounts_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    accounts = tmp_path / "accounts.yaml"
    accounts.write_text(text)

    with pytest.raises(AccountsError, match=re.escape(str(accounts))):
        Accounts.load(accounts)


def test_passwords_are_in_no_repr() -> None:
    assert "secret" not in repr(Accounts.load())
