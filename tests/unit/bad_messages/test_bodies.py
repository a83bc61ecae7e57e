"""Bodies that cannot be read: each is dead with the reason, and none of it is quoted."""

import json
import math

import orjson
import pytest

from pacer_core import Reject
from pacer_core.testing import deliver
from tests.unit.bad_messages.scans import (
    GOOD,
    SCANS,
    XML,
    changed,
    dead,
)

XML_BOMB = (
    '<!DOCTYPE s [<!ENTITY a "c4n4ryc4n4ry">'
    + "".join(
        f'<!ENTITY {b} "&{a};&{a};&{a};&{a};&{a};&{a};&{a};&{a};">'
        for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]><scan><name>&i;</name></scan>"
)
BAD_BODIES: dict[str, tuple[str | bytes, str | None, str]] = {
    "empty": (b"", None, "the body is empty"),
    "blank": (b" \r\n\t", "application/json", "the body is empty"),
    "a byte order mark": (b"\xef\xbb\xbf", None, "the body is empty"),
    "cut JSON": ('{"name": "c4n4ry', None, "the body is not JSON: line 1, column"),
    "cut XML": ("<scan><name>c4n4ry</name>", None, "the body is not XML: line 1, column"),
    "JSON and more": ('{"name": "c4n4ry"} c4n4ry', None, "the body is not JSON"),
    "two roots": ("<scan/><scan>c4n4ry</scan>", None, "the body is not XML"),
    "XML called JSON": (XML, "application/json", "the body is not JSON: line 1, column 1"),
    "JSON called XML": (changed(), "application/xml", "the body is not XML: line 1, column 1"),
    "plain text": ("c4n4ry", None, "the body is neither JSON nor XML, and no content type says what it is"),
    "a number": ("12", None, "the body is neither JSON nor XML"),
    "no text": (b"\x00\x01\x02\xff", None, "the body is neither JSON nor XML"),
    "gzip": (b"\x1f\x8b\x08\x00c4n4ry", "application/json", "the body is not JSON"),
    "no UTF-8": (b'{"name": "c4n4ry\xff"}', None, "the body is not JSON"),
    "UTF-16 JSON": ('{"name": "c4n4ry"}'.encode("utf-16"), "application/json", "the body is not JSON"),
    "XML of no encoding": ('<?xml version="1.0" encoding="klingon"?><scan/>', None, "the body is not XML"),
    "no latin in ASCII": (
        b'<?xml version="1.0" encoding="ascii"?><scan>\xe9</scan>',
        None,
        "the body is not XML",
    ),
    "half a surrogate": (b'{"name": "c4n4ry\\ud800"}', None, "the body is not JSON"),
    "half a surrogate in XML": ("<scan><name>c4n4ry&#xD800;</name></scan>", None, "the body is not XML"),
    "NUL in XML": ("<scan><name>c4n4ry&#0;</name></scan>", None, "the body is not XML"),
    "control in XML": (b"<scan><name>c4n4ry\x01</name></scan>", None, "the body is not XML"),
    "NaN": (json.dumps(GOOD | {"ratio": math.nan}), None, "the message has bad fields: ratio: is not a"),
    "Infinity": (json.dumps(GOOD | {"ratio": math.inf}), None, "the message has bad fields: ratio: is n"),
    "NaN and no JSON": ('{"name": "c4n4ry", NaN}', None, "the body is not JSON: line 1"),
    "NaN and no UTF-8": (b'{"name": "c4n4ry\xff", "ratio": NaN}', None, "the body is not JSON: line 1"),
    "NaN too deep": ("[" * 100_000 + "NaN", None, "the body is not JSON"),
    "a comment in JSON": ('{"name": "a" /* c4n4ry */}', None, "the body is not JSON"),
    "wrong root": (
        "<c4n4ry><name>a</name></c4n4ry>",
        None,
        "the root element is not <scan>: $: expected <scan>",
    ),
    "HTML": ("<!DOCTYPE html><html>c4n4ry</html>", None, "the body has a DOCTYPE, which is not accepted"),
    "an entity": (
        '<!DOCTYPE s [<!ENTITY a "c4n4ry">]><scan><name>&a;</name></scan>',
        None,
        "the body has a DOCTYPE",
    ),
    "an entity bomb": (XML_BOMB, None, "the body"),
    "a file": (
        '<!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]><scan><name>&a;</name></scan>',
        None,
        "the body has a DOCTYPE",
    ),
    "a DTD elsewhere": (
        '<!DOCTYPE s SYSTEM "http://localhost:1/s.dtd"><scan/>',
        None,
        "the body has a DOCTYPE",
    ),
    "an unknown entity": ("<scan><name>&c4n4ry;</name></scan>", None, "the body is not XML"),
    "deep JSON": ("[" * 100_000, None, "the body is not JSON"),
    "deep JSON that closes": ('{"name": ' + "[" * 2000 + "]" * 2000 + "}", None, "the body is not JSON"),
    "deep XML": ("<scan>" * 100_000, None, "the body has XML elements deeper than 256"),
    "deep XML that closes": (
        "<scan>" + "<a>" * 1000 + "</a>" * 1000 + "</scan>",
        None,
        "the body has XML elements deeper than 256",
    ),
    "a huge comment": (
        "<scan><!--" + "c4n4ry" * 2_000_000 + "--></scan>",
        None,
        "the body has a text of more",
    ),
    "a charset that is none": ("{}", "application/json; charset=c4n4", "the content type names a charset"),
    "a charset that takes long": (
        "{}",
        "application/json; charset=punycode",
        "the content type names a chars",
    ),
    "no text in its charset": (b'{"name": "\xff"}', "application/json;charset=ascii", "the body is not JSON"),
    "no text in UTF-16": (b"<scan/>", 'text/xml; charset="utf-16"', "the body is no text in utf-16"),
    "huge text": (
        "<scan><name>" + "c4n4ry" * 2_000_000 + "</name></scan>",
        None,
        "the body has a text of more than 10 MB",
    ),
    **{
        f"a DTD in {codec}": (
            '<?xml version="1.0"?><!--c--> <?p?>\n<!DOCTYPE s [<!ENTITY e "c4n4ry">]><scan/>'.encode(codec),
            "application/xml",
            "the body has a DOCTYPE",
        )
        for codec in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
    },
    "a DTD in a charset of its content type": (
        '<!DOCTYPE s [<!ENTITY e "c4n4ry">]><scan name="&e;"/>'.encode("utf-32-be"),
        "application/xml; charset=utf-32be",
        "the body has a DOCTYPE",
    ),
    "a DTD in a stateful encoding": (
        b'<?xml version="1.0" encoding="hz-gb-2312"?><~\n!DOCTYPE s [<!ENTITY e "c4n4ry">]><scan/>',
        None,
        "the body has a DOCTYPE",
    ),
    "a DTD in UTF-7": (
        b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE s [+ADwAIQ-ENTITY e "f"+AD4AXQA+-<scan/>',
        None,
        "the body is not XML in an encoding that is known: it declares 'UTF-7'",
    ),
    "EBCDIC": (
        '<?xml version="1.0" encoding="cp037"?><!DOCTYPE s><scan/>'.encode("cp037"),
        "text/xml",
        "the body is not XML",
    ),
    "a comment without an end before a DTD": ("<!-- <!DOCTYPE s><scan/>", None, "the body is not XML"),
    "XML with many attributes": (
        "<scan " + " ".join(f'c4n4ry{number}="1"' for number in range(257)) + "/>",
        None,
        "the body has an XML element with more than 256 attributes",
    ),
    "XML with many attributes somewhere": (
        "<scan><name>a=b</name><b c='>'"
        + " ".join(f"d{number}='>'" for number in range(100_000))
        + "/></scan>",
        None,
        "the body has an XML element with more than 256 attributes",
    ),
    "XML with many namespaces": (
        "<scan " + " ".join(f"xmlns:a{number}='u'" for number in range(257)) + "/>",
        None,
        "the body has an XML element with more than 256 attributes",
    ),
    "XML with many elements": (
        "<scan>" + "<a/>" * 1_000_001 + "</scan>",
        None,
        "the body has more than 1,000,000 tags or attributes in its XML",
    ),
    "XML with many attributes in all": (
        "<scan>" + ("<a " + " ".join(f"b{number}=''" for number in range(200)) + "/>") * 5001 + "</scan>",
        None,
        "the body has more than 1,000,000 tags or attributes in its XML",
    ),
    "JSON with many values": (
        '{"name": [' + "[]," * 600_000 + "0]}",
        None,
        "the body has more than 1,000,000 values in its JSON",
    ),
    "JSON with many keys": (
        "{" + ",".join(f'"{number}":0' for number in range(1_000_001)) + "}",
        None,
        "the body has more than 1,000,000 values in its JSON",
    ),
    "JSON with many values in a JSON string": (
        orjson.dumps("[" + "[]," * 600_000 + "0]"),
        None,
        "the body has more than 1,000,000 values in its JSON",
    ),
    "an integer without end": ('{"count": ' + "1" * 1_000_000 + "}", None, "the body is not JSON"),
    "an integer without end beside a NaN": (
        '{"ratio": NaN, "count": ' + "1" * 1_000_000 + "}",
        None,
        "the body is not JSON",
    ),
    "a list": ("[]", None, "the message has bad fields: $: is not an object with fields"),
    "null": ("null", "application/json", "the message has bad fields: $: is empty"),
    "text in a JSON string": ('"c4n4ry"', None, "the body is not JSON"),
    "nothing in a JSON string": ('""', None, "the body is not JSON"),
    "JSON in JSON in JSON": (orjson.dumps(orjson.dumps('"a"').decode()), None, "the message has bad fields"),
    "a content type nobody knows": (
        "a,b",
        "text/csv",
        "no plugin reads content type 'text/csv' for consumer type",
    ),
    "a content type that is none": (
        "{}",
        "application/",
        "no plugin reads content type 'application/' for consumer type 'scans'",
    ),
    "pickle": (b"\x80\x04c4n4ry", "application/x-python-serialize", "no plugin reads content type"),
}


@pytest.mark.parametrize(("body", "content_type", "reason"), BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_bad_body_is_dead_with_the_reason(body: str | bytes, content_type: str | None, reason: str) -> None:
    delivery = dead(body, content_type)
    assert str(Reject(delivery.failures[0].reason, fields=delivery.bad_fields)).startswith(reason)
    raw = body if isinstance(body, bytes) else body.encode()
    assert delivery.envelope.body == raw, "byte for byte"


def test_signs_of_equality_that_make_no_attributes_are_read() -> None:
    long, raw = "=" * 1000, "<a b='c'/>" * 500
    body = (
        f"<scan a='{long}'><!-- {long} --><?p {long}?><name>n{long}</name><raw>{raw}</raw>"
        "<startDate>2026-03-14T09:26:53</startDate><count>1</count><ratio>1</ratio></scan>"
    )
    delivery = deliver(SCANS, body)
    assert delivery.message is not None, delivery.failures
    assert delivery.message.name == f"n{long}"
