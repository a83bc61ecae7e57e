"""Times as the real server reads, keeps and writes them."""

from zoneinfo import ZoneInfo

import pytest

from pacer_sandbox import times
from pacer_sandbox.collation import compare, like
from pacer_sandbox.lexical import read

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("2025-06-01T12:00:00Z", "2025-06-01T14:00:00+02:00"),
        ("2025-06-01T12:00:00.999999+02:00", "2025-06-01T12:00:00+02:00"),
        ("  2025-06-01T12:00:00  ", "2025-06-01T12:00:00+02:00"),
        ("2025-06-01", "2025-06-01T00:00:00+02:00"),
        ("2025-06-01Z", "2025-06-01T02:00:00+02:00"),
        ("2025-06", "2025-06-01T00:00:00+02:00"),
        ("2025", "2025-01-01T00:00:00+01:00"),
        ("12:34:56", "1970-01-01T12:34:56+01:00"),
        ("2025-01-01T24:00:00", "2025-01-02T00:00:00+01:00"),
        ("2025-03-30T02:30:00", "2025-03-30T03:30:00+02:00"),  # does not exist: an hour on
        ("2025-10-26T02:30:00", "2025-10-26T02:30:00+01:00"),  # exists twice: winter time
        ("2025-10-26T00:30:00Z", "2025-10-26T02:30:00+01:00"),  # the first of the two, kept as the second
        ("0001-01-01T00:00:00Z", "0001-01-03T01:00:00+01:00"),  # a day of the old calendar
        ("1582-10-15T00:00:00Z", "1582-10-15T01:00:00+01:00"),
    ],
)
def test_a_time_is_kept_in_seconds_of_the_server(text: str, kept: str) -> None:
    seconds = times.from_xml(text, BERLIN)

    assert seconds is not None
    assert times.to_xml(seconds, BERLIN) == kept


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "2025-06-01 12:00:00", "2025-06-01T12:00:00+0200", "2025-06-01T12:00:00+02"),
        *("2025-02-30", "2025-13-01T00:00:00", "2025-06-01T25:00:00", "2025-06-01T24:00:01", "0000-01-01"),
        *("2025-06-01T12:00:00+15:00", "15.06.2025", "2025-06-01T12:00"),
    ],
)
def test_what_is_no_time_is_null(text: str) -> None:
    assert times.from_xml(text, BERLIN) is None


@pytest.mark.parametrize(("text", "fits"), [("9999-12-31T22:59:59Z", True), ("9999-12-31T23:59:59Z", False)])
def test_a_local_year_of_five_digits_cannot_be_kept(text: str, fits: bool) -> None:
    assert times.storable(times.from_xml(text, BERLIN) or 0, BERLIN) is fits
    assert not times.storable(times.from_xml("12025-01-01T00:00:00Z", BERLIN) or 0, BERLIN)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00.000Z", 0),
        ("1970-01-01T01:00:00.999+01:00", 0),
        ("1970-01-32T00:00:00.000Z", 31 * 86400),
        ("1970-01-01T00:00:00Z", None),
        ("1970-01-01", None),
    ],
)
def test_rest_wants_milliseconds_and_a_zone(text: str, seconds: int | None) -> None:
    assert times.from_json(text, BERLIN) == seconds


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        *(("Long", text, None) for text in ("", "1.5", "abc", "9223372036854775808", "1_0")),
        *(("Long", text, 7) for text in ("7", " 7 ", "+7", "07")),
        *(
            ("Integer", text, value)
            for text, value in (("", 0), ("2147483648", -(2**31)), ("1.5", None), ("-3", -3))
        ),
        *(
            ("Double", text, value)
            for text, value in (("1e3", 1000.0), (".5", 0.5), ("1,5", None), ("1e", None))
        ),
        *(("Double", text, None) for text in ("", "nan", "infinity", "1_0.0", "1f")),
        *(
            ("boolean", text, text.strip() in ("1", "true"))
            for text in ("1", "true", "True", "", "yes", " true ")
        ),
    ],
)
def test_attributes_are_read_as_jaxb_reads_them(kind: str, text: str, value: object) -> None:
    assert read(text, kind, BERLIN) == value


def test_an_enumeration_knows_its_names_only() -> None:
    assert read(" STRING ", "ParameterValueType", BERLIN, ("STRING",)) == "STRING"
    assert read("string", "ParameterValueType", BERLIN, ("STRING",)) is None


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [
        *(("plain", other, 0) for other in ("PLAIN", "plain  ", "pláin", "plaïn")),
        *(
            (
                ("ß", "s", 0),
                ("ß", "ss", -1),
                ("é", "e", 0),
                ("a\u0301", "á", 1),
                ("😀", "🚀", 0),
                ("ø", "o", 1),
            )
        ),
        *((("a", "b", -1), ("a", "a\t", 1), ("_", "z", 1), ("", "  ", 0), ("\u017f", "S", 0), ("µ", "μ", 0))),
    ],
)
def test_text_compares_as_in_the_database(left: str, right: str, order: int) -> None:
    assert compare(left, right) == order
    assert compare(right, left) == -order


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("SCAN%", "scan_1", True),
        ("scan\\_1", "scan_1", True),
        ("scan\\_1", "scanx1", False),
        ("sc_n", "scän", True),
        ("%é%", "une bete", True),
        ("a", "a ", False),
        ("a%b", "a\nb", True),
        ("[a]", "a", False),
    ],
)
def test_like_ignores_case_and_accents_but_not_blanks(pattern: str, text: str, matches: bool) -> None:
    assert like(pattern, text) is matches
