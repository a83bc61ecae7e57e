"""Configurations with something odd somewhere: each is fine or has problems, and none ends in a traceback."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pacer_core.cli import main

EXAMPLES = [
    path.read_text() for path in sorted((Path(__file__).parents[2] / "examples").glob("*/pacer.yaml"))
]
VALUE = re.compile(
    r"(?<=: )[^\s,{}\[\]#][^,{}\[\]\n#]*|(?<=[\[{])[^,{}\[\]\n#:]+(?=[\]},])|[\[{][^\n]*[\]}]$|[\w-]+(?=:)",
    re.M,
)
"""Where something odd may stand: values, items of lists, whole lists and mappings, and keys."""

ODD = [
    *("", "~", '""', "true", "0", "-1", ".nan", "-.inf", "1e400", "9" * 400, "9" * 5000, "0x" + "f" * 5000),
    *("2026-01-01", "2026-13-45", "0000-00-00", "2001-01-01 00:00:00 +99:99", "1:30", "0o17"),
    *("!!binary aGVsbG8=", '!!binary "*"', "!!set {a}", "!!omap [a: 1]", "!!python/object:os.system x"),
    *("!!timestamp x", "!!int x", '!!float "-"', "!!bool x", "!!null x", "!!merge x", "!!str 5", "!foo x"),
    *("!env PATH", '!env "A=B"', '!env "a\\0b"', "!env [a]", '!env ""', "!file /", "!file /dev/zero\\0"),
    *(
        '"a\\0b"',
        '"\\ud800"',
        '{"\\ud800": 1}',
        '{"\\0": 1}',
        '"\\x1b[31m"',
        '!!str "a\\0b"',
        '!!str "\\ud800"',
    ),
    *("[]", "{}", "[[]]", "[~]", "{~: ~}", "{1: 2}", "{[1]: 2}", "{? {a: b} : c}", "{2026-01-01: 1}"),
    *("{.nan: 1}", "{!!binary aGVsbG8=: 1}", "{!env PATH: 1}", "{<<: 5}", "{<<: [{a: 1}, {b: 2}]}"),
    *("&a [*a]", "&a {x: *a}", "&a {*a : 1}", "*nope", "<<", "=", "?", "!", "!!", '"x', "[1", "- x", "| x"),
    *("[" * 500, "[" * 60 + "]" * 60, "{a: " * 60 + "}" * 60, "9" * 30 + "d", "1e9d", "\u0665s", "\u00b2"),
    *("http://[", "http://a:b:c/", "https://\u00e9.example/", "amqp://", "Europe", "../../etc/passwd"),
    *('"/a\\0"', "(", '"[a"', "'*'", "'%('", "'{'", "x" * 5000, "/" * 5000),
]


def odd(text: str, places: list[tuple[int, str]]) -> str:
    """Put odd things into a file."""
    for place, thing in places:
        found = list(VALUE.finditer(text))
        one = found[place % len(found)]
        text = text[: one.start()] + thing + text[one.end() :]
    return text


@pytest.mark.parametrize("as_json", [[], ["--json"]])
@settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)
@given(
    st.sampled_from(EXAMPLES),
    st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(ODD)), min_size=1, max_size=3),
)
@example("consumers: [{type: users, queues: 5}]", [(10_000, "users")])
def test_no_odd_value_ends_in_a_traceback(
    tmp_path: Path, as_json: list[str], text: str, places: list[tuple[int, str]]
) -> None:
    check(tmp_path, odd(text, places), as_json)


def check(folder: Path, text: str, as_json: list[str]) -> str:
    """Check a file, as an operator does, and give what is said."""
    file = folder / "pacer.yaml"
    file.write_text(text)
    done = CliRunner().invoke(main, ["config", "check", "-c", str(file), *as_json])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code in (0, 1)
    assert "Traceback" not in done.output
    return done.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("brokers: {main: {host: h}}\n" + "[" * 60 + "]" * 60 + ": x\n", ":2:1: error: a key has to be text"),
        ("brokers: {main: {host: h, {a: 1}: x}}\n", ":1:27: error: a key has to be text"),
        ("brokers: &a {main: {host: h}}\nqueues: [&a {name: q}, *a]\n", "'consumers' is missing"),
    ],
)
def test_keys_of_many_brackets_and_anchors_that_come_twice_end_in_words(
    tmp_path: Path, text: str, said: str
) -> None:
    assert said in check(tmp_path, text, [])


CONFIG = """
brokers: {main: {protocol: memory}, recipients: RECIPIENTS}
queues: [{name: q}]
consumers: [{type: TYPE, queues: QUEUES, integrations: INTEGRATIONS}]
integrations: {icat: {type: KIND, url: "http://x/", authenticator: simple, username: u, password: x}}
processes: {stateFolder: STATE}
"""
USUAL = {
    "RECIPIENTS": "[]",
    "TYPE": "datasets",
    "QUEUES": "[q]",
    "INTEGRATIONS": "[icat]",
    "KIND": "icat",
    "STATE": "state",
}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("QUEUES", "5", "[wrong-type]"),
        ("QUEUES", "!env [a]", "followed by one word"),
        ("QUEUES", "!foo x", "unknown tag"),
        ("KIND", "[a]", "unknown integration type"),
        ("KIND", "{a: b}", "unknown integration type"),
        ("KIND", "0x" + "f" * 5000, "too large a number"),
        ("TYPE", "0x" + "f" * 5000, "too large a number"),
        ("RECIPIENTS", "[{name: 0x" + "f" * 5000 + "}, {name: 0x" + "f" * 5000 + "}]", "too large a number"),
        ("STATE", '"a\\0b"', "holds a NUL"),
        ("STATE", '!!str "a\\0b"', "holds a NUL"),
        ("STATE", '"\\ud800"', "half a character"),
        ("INTEGRATIONS", '["\\ud800"]', "half a character"),
        ("RECIPIENTS", '{"\\ud800": 1}', "half a character"),
    ],
)
@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_an_odd_value_is_told_at_its_place(
    tmp_path: Path, key: str, value: str, said: str, as_json: list[str]
) -> None:
    text = CONFIG
    for name, usual in USUAL.items():
        text = text.replace(name, value if name == key else usual)
    found = check(tmp_path, text, as_json)
    assert said.replace("[", "").replace("]", "") in found if as_json else said in found
