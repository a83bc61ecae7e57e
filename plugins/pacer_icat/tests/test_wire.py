"""Envelopes, faults and sessions over a stub that answers as ICAT does; no server needed."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from lxml import etree

from pacer_core import Reject, Retry, Secret
from pacer_icat import IcatAway, IcatFault, IcatOptions, settled
from pacer_icat.schema import Entity, Field, UnknownFieldError
from pacer_icat.session import Session
from pacer_icat.soap import Bean, read, ref
from pacer_icat.wire import Wire

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
DATASET = Entity(
    "Dataset",
    (
        Field("id", "Long"),
        Field("complete", "boolean"),
        Field("datafiles", "Datafile", "MANY"),
        Field("investigation", "Investigation", "ONE"),
        Field("name", "String", length=255),
        Field("startDate", "Date"),
    ),
)
DATAFILE = Entity("Datafile", (Field("id", "Long"), Field("fileSize", "Long"), Field("name", "String")))
INVESTIGATION = Entity("Investigation", (Field("id", "Long"), Field("name", "String")))


def options() -> IcatOptions:
    return IcatOptions(
        url="https://icat.example.org",
        authenticator="db",
        username="pacer",
        password=Secret("hush-hush"),
        time_zone="Europe/Berlin",
    )


def answer(inner: str, operation: str = "x") -> tuple[int, bytes]:
    return 200, (
        f'<S:Envelope xmlns:S="{SOAP}"><S:Body><n:{operation}Response xmlns:n="http://icatproject.org" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xs="http://www.w3.org/2001/XMLSchema">'
        f"{inner}</n:{operation}Response></S:Body></S:Envelope>"
    ).encode()


def fault(type_: str, message: str, offset: int = -1) -> tuple[int, bytes]:
    return 500, (
        f'<S:Envelope xmlns:S="{SOAP}"><S:Body><S:Fault><faultcode>S:Server</faultcode>'
        "<faultstring>f</faultstring>"
        f'<detail><n:IcatException xmlns:n="http://icatproject.org"><message>{message}</message>'
        f"<offset>{offset}</offset><type>{type_}</type></n:IcatException></detail></S:Fault></S:Body></S:Envelope>"
    ).encode()


class Stub:
    """Answers each operation with what a script says, and keeps what was asked."""

    def __init__(self, script: Callable[[str, int], tuple[int, bytes]]) -> None:
        self.script = script
        self.asked: list[str] = []
        self.bodies: list[bytes] = []
        self.closed = False

    def post(self, body: bytes) -> tuple[int, bytes]:
        call = etree.fromstring(body).find(f"{{{SOAP}}}Body/*")
        assert call is not None
        operation = call.tag.rpartition("}")[2]
        self.asked.append(operation)
        self.bodies.append(body)
        if operation == "login":
            return answer(f"<return>session-{self.asked.count('login')}</return>")
        if operation == "getRemainingMinutes":
            return answer("<return>120.0</return>")
        return self.script(operation, self.asked.count(operation))

    def close(self) -> None:
        self.closed = True


def wire(script: Callable[[str, int], tuple[int, bytes]]) -> tuple[Wire, Stub]:
    stub = Stub(script)
    made = Wire(options(), stub)
    made.schema.learn([DATASET, DATAFILE, INVESTIGATION])
    return made, stub


def test_a_nested_create_is_one_envelope_with_its_children() -> None:
    made, stub = wire(lambda *_: answer("<return>42</return>"))
    files = [Bean("Datafile", {"name": "a & b.h5", "fileSize": 3})]
    start = datetime(2025, 7, 15, 15, 53, 33, tzinfo=UTC)
    bean = Bean(
        "Dataset",
        {
            "name": "d",
            "complete": False,
            "investigation": ref("Investigation", 7),
            "startDate": start,
            "datafiles": files,
        },
    )
    assert made.create(bean) == 42
    node = etree.fromstring(stub.bodies[-1]).find(".//bean")
    assert node is not None
    assert node.get("{http://www.w3.org/2001/XMLSchema-instance}type") == "i:dataset"
    assert [(child.tag, child.findtext("*") or child.text) for child in node] == [
        ("complete", "false"),
        ("datafiles", "3"),
        ("investigation", "7"),
        ("name", "d"),
        ("startDate", "2025-07-15T15:53:33.000+00:00"),
    ]
    assert node.findtext("datafiles/name") == "a & b.h5"


def test_a_field_that_icat_would_pass_over_in_silence_is_refused() -> None:
    made, _ = wire(lambda *_: answer("<return>42</return>"))
    with pytest.raises(UnknownFieldError, match="'locatoin'"):
        made.create(Bean("Dataset", {"name": "d", "locatoin": "/data"}))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_icat_cannot_hold_is_not_sent(value: float) -> None:
    made, stub = wire(lambda *_: answer("<return>42</return>"))
    with pytest.raises(ValueError, match="finite"):
        made.create(Bean("Datafile", {"name": "d", "fileSize": value}))
    assert "create" not in stub.asked


def test_a_search_gives_objects_scalars_columns_and_nothing() -> None:
    made, _ = wire(
        lambda *_: answer(
            '<return xsi:type="n:dataset"><id>1</id><complete>true</complete>'
            "<datafiles><id>5</id><name>f</name></datafiles><investigation><id>2</id></investigation><name>d</name>"
            "<startDate>2025-06-01T12:00:00+02:00</startDate></return>"
            '<return xsi:type="xs:long">7</return>'
            '<return xsi:type="xs:dateTime">2025-06-01T10:00:00Z</return>'
            '<return xsi:type="n:fieldSet"><fields xsi:type="xs:string">x</fields>'
            '<fields xsi:nil="true"/></return>'
            '<return xsi:nil="true"/>'
        )
    )
    record, number, time, row, nothing = made.search("SELECT d FROM Dataset d")
    assert (record.entity, record.id, record["complete"], record["name"]) == ("Dataset", 1, True, "d")
    assert record["startDate"] == datetime(2025, 6, 1, 10, tzinfo=UTC)
    assert record["investigation"].id == 2
    assert [file["name"] for file in record["datafiles"]] == ["f"]
    assert (number, time, row, nothing) == (7, datetime(2025, 6, 1, 10, tzinfo=UTC), ("x", None), None)


def test_a_fault_carries_its_type_message_and_offset_and_shows_no_values() -> None:
    made, _ = wire(lambda *_: fault("OBJECT_ALREADY_EXISTS", "User exists with name = 'db/ada'\nmore", 3))
    with pytest.raises(IcatFault) as caught:
        made.create_many([Bean("Datafile", {"name": "x"})])
    assert (caught.value.type, caught.value.offset) == ("OBJECT_ALREADY_EXISTS", 3)
    assert "db/ada" in caught.value.message
    assert (
        str(caught.value) == "ICAT refused createMany: OBJECT_ALREADY_EXISTS: User exists with name = '...'"
    )


def test_one_login_serves_many_calls() -> None:
    made, stub = wire(lambda *_: answer(""))
    for _ in range(3):
        made.search("SELECT d FROM Dataset d")
    assert stub.asked == ["login", "getRemainingMinutes", "search", "search", "search"]


def test_a_session_that_icat_has_lost_is_replaced_and_the_call_repeated_once() -> None:
    made, stub = wire(
        lambda _, n: fault("SESSION", "Unable to find user by sessionid: x") if n == 1 else answer("")
    )
    assert made.search("SELECT d FROM Dataset d") == []
    assert stub.asked.count("login") == 2
    assert b"session-2" in stub.bodies[-1]


def test_sessions_lost_again_and_again_make_the_message_wait() -> None:
    made, stub = wire(lambda *_: fault("SESSION", "Unable to find user by sessionid: x"))
    with pytest.raises(IcatAway):
        made.search("SELECT d FROM Dataset d")
    assert stub.asked.count("search") == 2


def test_a_deadlock_is_repeated_at_once() -> None:
    made, stub = wire(
        lambda _, n: (
            fault("INTERNAL", "Deadlock found when trying to get lock; Error Code: 1213")
            if n < 4
            else answer("<return>1</return>")
        )
    )
    assert made.create(Bean("Datafile", {"name": "x"})) == 1
    assert stub.asked.count("create") == 4


def test_deadlocks_without_end_make_the_message_wait() -> None:
    made, _ = wire(lambda *_: fault("INTERNAL", "Deadlock found when trying to get lock"))
    with pytest.raises(Retry, match="deadlock"):
        made.create(Bean("Datafile", {"name": "x"}))


@pytest.mark.parametrize(
    "status_body", [(503, b"Service Temporarily Unavailable"), (404, b"<html/>"), (200, b"")]
)
def test_whoever_answers_without_soap_is_taken_for_an_icat_that_is_away(
    status_body: tuple[int, bytes],
) -> None:
    made, _ = wire(lambda *_: status_body)
    with pytest.raises(IcatAway, match=str(status_body[0])):
        made.search("SELECT d FROM Dataset d")


@pytest.mark.parametrize(
    "words",
    [
        "Error in allocating a connection. Communications link failure",
        "The MariaDB server is running with the --read-only option so it cannot execute this statement",
        "Cannot execute statement in a READ ONLY transaction.\nError Code: 1792\nCall: INSERT INTO X",
        "WSREP has not yet prepared node for application use",
        "Lost connection to MySQL server during query",
        "Server shutdown in progress",
        "Too many connections",
        "The table 'DATASETPARAMETER' is full",
        'Got error 28 "No space left on device" from storage engine InnoDB',
        "Connect to icat-lucene:8181 failed: Connection timed out",
        "java.net.ConnectException: Connection refused (Connection refused)",
        "Unexpected JMS error: cannot create connection",
        "This connection has been closed.",
        "FATAL: terminating connection due to administrator command",
        "ORA-03113: end-of-file on communication channel",
        "ORA-01653: unable to extend table ICAT.DATAFILE by 8192 in tablespace ICAT",
    ],
)
def test_an_icat_whose_database_takes_nothing_is_away_and_no_attempt_is_counted(words: str) -> None:
    made, _ = wire(lambda *_: fault("INTERNAL", words.replace("&", "&amp;")))
    with pytest.raises(IcatAway) as raised:
        made.create(Bean("Datafile", {"name": "x"}))
    assert not raised.value.counted


@pytest.mark.parametrize(
    "words",
    [
        "javax.persistence.QueryTimeoutException",
        "Transaction aborted",
        "Client's transaction aborted",
        "java.lang.OutOfMemoryError: Java heap space",
        "Read timed out",
        "class jakarta.ejb.EJBException null",
        "",
        "Investigation[id:1213]",
    ],
)
def test_words_that_nobody_knows_are_tried_again_within_the_limit(words: str) -> None:
    meant = settled(IcatFault("INTERNAL", words, call="create"))
    assert isinstance(meant, Retry)
    assert meant.counted


@pytest.mark.parametrize(
    ("type_", "words"),
    [
        ("INTERNAL", "Unexpected DB response ... Duplicate entry 'run is read only-1213' for key 'UNQ'"),
        ("INTERNAL", "Data too long for column 'NAME' at row 1"),
        ("INTERNAL", "(conn=7) Column 'NAME' cannot be null"),
        ("INTERNAL", "Cannot add or update a child row: a foreign key constraint fails (`icat`.`DATASET`)"),
        ("INTERNAL", "a new object was found through a relationship that was not marked cascade PERSIST"),
        ("INTERNAL", "VALIDATION org.icatproject.core.IcatException: Attempt to set field name to null"),
        ("INTERNAL", "ORA-12899: value too large for column"),
        ("VALIDATION", "Server shutdown in progress"),
        ("BAD_PARAMETER", ""),
        ("OBJECT_ALREADY_EXISTS", "Dataset exists"),
    ],
)
def test_what_is_known_to_be_about_what_was_sent_is_for_a_person(type_: str, words: str) -> None:
    assert isinstance(settled(IcatFault(type_, words, call="create")), Reject)


def test_a_type_of_fault_that_nobody_knows_is_tried_again() -> None:
    assert isinstance(settled(IcatFault("MAINTENANCE", "come back later", call="create")), Retry)


def test_unknown_words_are_named_in_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    for number in range(3):
        settled(IcatFault("INTERNAL", f"gremlins in 'Jane Doe' [id:{number}]", call="update"))
    (said,) = [one.getMessage() for one in caplog.records]
    assert (
        "ICAT refuses update with words that PACER does not know: INTERNAL: gremlins in '...' [id:N]" in said
    )


def test_the_session_is_renewed_before_it_ends_and_logged_out_at_the_end() -> None:
    now = [0.0]
    asked: list[str] = []

    def ask(operation: str, _: object) -> list[etree._Element]:
        asked.append(operation)
        node = etree.Element("return")
        node.text = "10.0" if operation == "getRemainingMinutes" else "id"
        return [node]

    session = Session(options(), ask, clock=lambda: now[0])
    session.id()
    now[0] = 299.0
    session.id()
    assert asked == ["login", "getRemainingMinutes"]
    now[0] = 301.0
    session.id()
    session.close()
    assert asked[2:] == ["refresh", "getRemainingMinutes", "logout"]


def test_a_refused_account_makes_messages_wait_and_says_what_to_correct() -> None:
    def ask(operation: str, _: object) -> list[etree._Element]:
        raise IcatFault("SESSION", "The username and password do not match", call=operation)

    with pytest.raises(IcatAway, match="correct authenticator, username or password") as caught:
        Session(options(), ask).id()
    assert "hush-hush" not in str(caught.value)


def test_closing_logs_out_and_lets_the_connections_go() -> None:
    made, stub = wire(lambda *_: answer(""))
    made.search("SELECT d FROM Dataset d")
    made.close()
    assert stub.asked[-1] == "logout"
    assert stub.closed


def test_an_answer_with_a_dtd_is_of_no_icat_and_its_entities_are_not_expanded() -> None:
    def entity(number: int) -> str:
        return f"&e{number};"

    entities = "".join(f"<!ENTITY e{n + 1} '{10 * entity(n)}'>" for n in range(12))
    bomb = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e0 "c4n4ry">{entities}]>'
    envelope = f'<S:Envelope xmlns:S="{SOAP}" a="&e12;"><S:Body><r/></S:Body></S:Envelope>'
    for text in (bomb.encode() + envelope.encode(), (bomb + envelope).encode("utf-16")):
        with pytest.raises(IcatAway):
            read(text, 200, "login", "https://icat.example.org")
