"""Schemas: read as they are, every mistake with its place; variables, operators, types and selectors."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pacer_core import Outcome, PacerError
from pacer_scicat import Converter, Operator, Source, VariableError, hookimpl
from pacer_scicat.schemas import extensions as found
from pacer_scicat.schemas.extensions import Extensions, extensions
from pacer_scicat.schemas.folder import SchemaFolder, choose
from pacer_scicat.schemas.operators import canonical
from pacer_scicat.schemas.reading import is_schema_file, read
from pacer_scicat.schemas.selectors import selector
from pacer_scicat.schemas.templates import Value
from pacer_scicat.schemas.values import fill
from plugins.pacer_scicat.tests.support import SCHEMA, Facility
from tests.support import Site

PATH = "/ess/data/coda/2026/443503/raw/coda_1.nxs"


def write(folder: Path, text: str, name: str = "a.imsc.yml") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def variables(tmp_path: Path, text: str, catalogue: Any = None, file: Any = None) -> Any:
    """Fill the variables that are given as YAML, beside those of a whole schema."""
    whole = YAML(typ="safe").load(SCHEMA)
    whole["variables"] = YAML(typ="safe").load(text)
    schema, problems = read(write(tmp_path, json.dumps(whole), "a.imsc.json"), extensions())
    assert schema is not None, problems
    built_in = {"data_file_path": Value(PATH, "string")}
    return fill(schema, extensions(), built_in, file=file, catalogue=catalogue)


def one(tmp_path: Path, text: str, **more: Any) -> Any:
    filled = variables(tmp_path, "x: " + text, **more)
    if "x" in filled.failed:
        raise filled.failed["x"]
    return filled.values["x"].value


def test_yaml_and_json_are_the_same(tmp_path: Path) -> None:
    yaml = write(tmp_path, SCHEMA)
    data = YAML(typ="safe").load(SCHEMA)
    tabs = write(tmp_path, json.dumps(data, indent="\t"), "b.imsc.json")
    first, second = (read(file, extensions())[0] for file in (yaml, tabs))
    assert first is not None
    assert second is not None
    assert (first.variables, first.fields, first.order) == (second.variables, second.fields, second.order)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("a.imsc.yml", True),
        ("a.imsc.yaml", True),
        ("imsc.json", True),
        (".a.imsc.yml", False),
        ("a.yml", False),
    ],
)
def test_a_schema_is_known_by_its_name(name: str, counts: bool) -> None:
    assert is_schema_file(name) is counts


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        ("*", True),
        ("filename:starts_with:/ess/data/coda", True),
        ("filename:starts_with:coda", False),
        ("filename:contains:coda", True),
        ("datafile:contains:raw/coda", True),
        ({"or": ["filename:contains:nope", "filename:contains:coda"]}, True),
        ({"and": ["filename:contains:nope", "filename:contains:coda"]}, False),
        ({"and": [{"or": ["*"]}, "filename:contains:443503"]}, True),
        ({"operand_1": "filename", "operator": "contains", "operand_2": "coda"}, True),
    ],
)
def test_selectors(given: Any, fits: bool) -> None:
    assert selector(given)(PATH) is fits


@pytest.mark.parametrize(
    "given",
    ["coda", "filename:ends_with:x", "path:contains:x", {"not": ["*"]}, {"or": []}, {"or": "*"}, 5, ""],
)
def test_a_selector_that_is_none_is_a_mistake(given: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        selector(given)


def test_the_lowest_order_wins_and_the_name_decides_between_equals(tmp_path: Path) -> None:
    for name, order in (("b", 2), ("c", 1), ("a", 2), ("z", 1)):
        text = SCHEMA.replace("name: coda", f"name: {name}").replace("order: 1", f"order: {order}")
        write(tmp_path, text, f"{name}.imsc.yml")
    schemas = SchemaFolder(tmp_path).schemas()
    assert [schema.name for schema in schemas] == ["c", "z", "a", "b"]
    chosen = choose(schemas, PATH, None)
    assert chosen is not None
    assert chosen.name == "c"
    assert choose(schemas, "/elsewhere", None) is None
    for fallback in ("b", "b.imsc.yml", schemas[0].id):
        assert choose(schemas, "/elsewhere", fallback) is not None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{source: VALUE, value: "<data_file_path>"}', PATH),
        ('{source: VALUE, value: "<data_file_path>", operator: filename}', "coda_1.nxs"),
        ('{source: VALUE, value: "<data_file_path>", operator: dirname}', "/ess/data/coda/2026/443503/raw"),
        ('{source: VALUE, value: "<data_file_path>", operator: dirname-2}', "/ess/data/coda/2026/443503"),
        ('{source: VALUE, value: "<data_file_path>", operator: dirname_2}', "/ess/data/coda/2026/443503"),
        ('{source: VALUE, value: [a, b], operator: join_with_space}', "a, b"),
        ('{source: VALUE, value: {k: 5}, operator: getitem, field: k, value_type: integer}', 5),
        ('{source: VALUE, value: [7, 8], operator: getitem, field: 1, value_type: integer}', 8),
        ('{source: VALUE, value: ess/raw, operator: str-replace, pattern: raw, replacement: da}', "ess/da"),
        ('{source: VALUE, value: "a b/c", operator: urlsafe}', "a%20b%2Fc"),
        ("{source: VALUE, value: AbC, operator: to-lower}", "abc"),
        ("{source: VALUE, value: AbC, operator: to_upper}", "ABC"),
        ("{source: VALUE, value: [1, 2.5], operator: sum, value_type: float}", 3.5),
        ("{source: VALUE, value: [1, 2], operator: mean, value_type: float}", 1.5),
        ("{source: VALUE, value: [1, 2], operator: max, value_type: integer}", 2),
        ("{source: VALUE, value: x, operator: DO_NOTHING}", "x"),
    ],
)  # fmt: skip
def test_operators(tmp_path: Path, text: str, wanted: Any) -> None:
    assert one(tmp_path, text) == wanted


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("string", 5, "5"), ("string", 5.0, "5"), ("string", ["x"], "x"),
        ("string[]", "x", ["x"]), ("string[]", "['a', 'b']", ["a", "b"]), ("string[]", [1, 2], ["1", "2"]),
        ("integer", "12", 12), ("integer", 12.0, 12), ("integer[]", [1.0, "2"], [1, 2]),
        ("float", "1.5", 1.5), ("float[]", [1, 2], [1.0, 2.0]),
        ("date", "2026-01-02 03:04:05", "2026-01-02T03:04:05.000Z"),
        ("date", "2026-01-02T03:04:05.123456789+02:00", "2026-01-02T01:04:05.123Z"),
        ("date", 1767323045, "2026-01-02T03:04:05.000Z"), ("date", "2026-01-02", "2026-01-02T00:00:00.000Z"),
        ("dict", "{'a': 1}", {"a": 1}), ("dict", '{"a": null}', {"a": None}), ("list", "[1, 2]", [1, 2]),
        ("email", "a@b.org, c@d.org", "a@b.org;c@d.org"), ("link", "https://doi.org/1", "https://doi.org/1"),
        ("boolean", "yes", True), ("none", {"any": [1]}, {"any": [1]}),
    ],
)  # fmt: skip
def test_types(kind: str, value: Any, wanted: Any) -> None:
    assert extensions().converters[kind].convert(value) == wanted


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", 1.5), ("integer", "x"), ("float", "nan"), ("float", float("inf")), ("float", None),
        ("date", "yesterday"), ("date", -1), ("dict", "__import__('os')"), ("dict", [1, 2]),
        ("email", "root@localhost"),
        ("email", ""), ("link", "no link"), ("string", None), ("list", None), ("boolean", "perhaps"),
    ],
)  # fmt: skip
def test_what_is_not_of_a_type_is_no_value(kind: str, value: Any) -> None:
    with pytest.raises(VariableError):
        extensions().converters[kind].convert(value)


class Answers:
    """A catalogue of fixed answers, which notes what it is asked."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked = answer, [""][:0]

    def ask(self, path: str) -> Any:
        self.asked.append(path)
        return self.answer


def test_scicat_is_asked_with_values_that_stay_one_segment(tmp_path: Path) -> None:
    catalogue = Answers({"pi_lastname": "Pi"})
    text = "a: {source: VALUE, value: 'x/y z'}\nx: {source: SC, url: 'proposals/<a>', field: pi_lastname}"
    filled = variables(tmp_path, text, catalogue=catalogue)
    assert (filled.values["x"].value, catalogue.asked) == ("Pi", ["proposals/x%2Fy%20z"])


def test_scicat_may_give_a_list_or_all_of_an_answer(tmp_path: Path) -> None:
    text = (
        "d: {source: SC, url: instruments, field: '', value_type: list}\n"
        "e: {source: VALUE, value: <d>, operator: getitem, field: 0, value_type: dict}\n"
        "x: {source: VALUE, value: <e>, operator: getitem, field: id}"
    )
    assert variables(tmp_path, text, catalogue=Answers([{"id": "i1"}])).values["x"].value == "i1"


def test_a_variable_that_fails_takes_those_along_that_need_it_and_no_others(tmp_path: Path) -> None:
    text = (
        "a: {source: SC, url: proposals/1}\n"
        "b: {source: VALUE, value: 'of <a>'}\n"
        "c: {source: VALUE, value: plain}"
    )
    filled = variables(tmp_path, text, catalogue=Answers(None))
    assert str(filled.failed["b"]) == "<a>: SciCat has nothing there"
    assert filled.failed["b"].awaited
    assert filled.values["c"].value == "plain"


def test_a_variable_alone_keeps_its_type_and_unit(tmp_path: Path) -> None:
    class File:
        def read(self, path: str, *, several: bool) -> Any:
            return 5, "mm"

    text = (
        "a: {source: NXS, path: /x, value_type: integer}\nx: {source: VALUE, value: <a>, value_type: integer}"
    )
    value = variables(tmp_path, text, file=File()).values["x"]
    assert (value.value, value.unit) == (5, "mm")


MISTAKES = """\
id: 1
name: broken
selector: "filename:ends_with:x"
colour: blue
variables:
  a: {source: NXS, value_type: string}
  b: {source: NOWHERE}
  c: {source: VALUE, value: "<later>", operator: multiply}
  later: {source: VALUE, value: x, value_type: colour}
schema:
  pid: {field_type: high_level, machine_name: nosuch, value: x, type: string}
  other: {field_type: low_level, machine_name: owner, value: x, type: string}
"""


def test_every_mistake_has_its_line_and_column(tmp_path: Path, site: Site) -> None:
    file = write(tmp_path, MISTAKES)
    (tmp_path / "b.imsc.yml").write_text(MISTAKES.replace("id: 1", "id: one"))
    write(tmp_path, "{", "c.imsc.json")
    ran = site.pacer("scicat", "schema", "check", tmp_path)
    assert ran.code == 1
    lines = [line.removeprefix(f"{tmp_path}/") for line in ran.out.splitlines()]
    assert next(line for line in lines if line.startswith("a.imsc")).startswith(
        "a.imsc.yml:1:1: error: 'id' has"
    )
    told = [line for line in lines if line.startswith("b.imsc")]
    for wanted in (
        "b.imsc.yml:4:1: warning: there is no key 'colour' [unknown-key]",
        "b.imsc.yml:6:3: error: the variable 'a' needs 'path' for NXS [missing-key]",
        "b.imsc.yml:7:7: error: the variable 'b' has no source; there are NXS, SC, VALUE [unknown-source]",
        "b.imsc.yml:8:22: warning: there is no variable <later> before this [unknown-variable]",
        "b.imsc.yml:3:1: error: no test 'ends_with'; there are starts_with and contains [bad-selector]",
        "b.imsc.yml:11:33: warning: SciCat knows no 'nosuch': left out [unknown-field]",
    ):
        assert wanted in told
    assert next(line for line in told if "[unknown-operator]" in line).startswith("b.imsc.yml:8:40: error:")
    assert next(line for line in told if "[unknown-type]" in line).startswith("b.imsc.yml:9:")
    assert next(line for line in told if "[wrong-field-type]" in line).startswith("b.imsc.yml:12:3: error:")
    assert len([line for line in told if "[missing-field]" in line]) == 8
    assert any(line.startswith("c.imsc.json:1:2: error:") for line in lines)
    assert file.exists()


def test_good_schemas_are_listed_in_their_order(facility: Facility, site: Site) -> None:
    ran = site.pacer("scicat", "schema", "check", facility.schemas)
    assert (ran.code, ran.out.splitlines()) == (
        0,
        ["1 schemas can be used; 0 errors, 0 warnings", "   1. coda (coda.imsc.yml, order 1)"],
    )
    assert site.pacer("scicat", "schema", "check", facility.root / "none").code == 1


class Plugin:
    """What a facility adds."""

    @staticmethod
    @hookimpl
    def scicat_operators() -> list[Operator]:
        return [Operator("reverse", lambda value, _: value[::-1])]

    @staticmethod
    @hookimpl
    def scicat_converters() -> list[Converter]:
        return [Converter("shout", lambda value: str(value).upper())]

    @staticmethod
    @hookimpl
    def scicat_sources() -> list[Source]:
        return [Source("CONSTANT", lambda given, keys: (keys["number"], "m"), needs=("number",))]


class Point:
    name, value = "facility", "facility.plugin"

    def __init__(self, plugin: Any) -> None:
        self.plugin = plugin

    def load(self) -> Any:
        if isinstance(self.plugin, Exception):
            raise self.plugin
        return self.plugin


def test_plugins_add_operators_types_and_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known: Extensions = found.collect([Point(Plugin)])  # type: ignore[list-item]  # the shape of an entry point
    monkeypatch.setattr("pacer_scicat.schemas.sources.extensions", lambda: known)
    text = SCHEMA.replace(
        "schema:",
        "  r: {source: VALUE, value: abc, operator: reverse, value_type: shout}\n"
        "  n: {source: CONSTANT, number: 5, value_type: integer}\nschema:",
        1,
    )
    schema, problems = read(write(tmp_path, text), known)
    assert problems == []
    assert schema is not None
    filled = fill(schema, known, {}, file=None, catalogue=None)
    assert (filled.values["r"].value, filled.values["n"].value, filled.values["n"].unit) == ("CBA", 5, "m")


def test_a_plugin_that_fails_or_takes_a_name_is_named() -> None:
    class Thief:
        @staticmethod
        @hookimpl
        def scicat_operators() -> list[Operator]:
            return [Operator("sum", lambda value, _: value)]

    with pytest.raises(PacerError, match="'sum' is given by"):
        found.collect([Point(Thief)])  # type: ignore[list-item]  # the shape of an entry point
    with pytest.raises(PacerError, match="the extension facility of pacer-scicat"):
        found.collect([Point(ImportError("no such thing"))])  # type: ignore[list-item]  # the shape of an entry point


def test_the_schema_of_the_reference_is_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/reference/scicat-schemas.md").read_text()
    text = page.partition("```{code-block} yaml\n")[2].partition("```")[0]
    _, problems = read(write(tmp_path, text), extensions())
    assert {problem.code for problem in problems} == {"missing-field"}


def test_hyphens_and_underscores_of_operators_are_one() -> None:
    assert canonical("str_replace") == "str-replace"
    assert canonical("of-a-plugin") == "of-a-plugin"


BOMB = "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in pairwise("abcdefgh")
)


@pytest.mark.parametrize(
    "text",
    [
        SCHEMA.replace("variables:", "variables: &v\n  self: *v", 1),
        SCHEMA + BOMB,
        SCHEMA + "day: 2026-13-45\n",
        "[" * 1000,
        SCHEMA + "sample_attachment: {sample_name_path: 5}\n",
    ],
)
def test_a_schema_that_runs_away_is_reported_and_stops_no_other(tmp_path: Path, text: str) -> None:
    write(tmp_path, SCHEMA, "good.imsc.yml")
    write(tmp_path, text, "bad.imsc.yml")
    (tmp_path / "nowhere.imsc.yml").symlink_to(tmp_path / "gone")
    folder = SchemaFolder(tmp_path)
    assert [schema.file.name for schema in folder.schemas()] == ["good.imsc.yml"]
    assert {one.file.name for one in folder.problems() if one.serious} == {"bad.imsc.yml", "nowhere.imsc.yml"}


def test_what_a_plugin_or_a_value_raises_fails_its_variable_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = json.dumps("[" * 900 + "]" * 900)
    odd = Operator("odd", lambda value, keys: value / 0)
    known = extensions()
    more = Extensions(known.sources, {**known.operators, "odd": odd}, known.converters)
    monkeypatch.setattr("pacer_scicat.schemas.sources.extensions", lambda: more)
    monkeypatch.setattr(f"{__name__}.extensions", lambda: more)
    filled = variables(
        tmp_path,
        f"a: {{source: VALUE, value: {deep}, value_type: 'string[]'}}\n"
        "b: {source: VALUE, value: 5, operator: odd, value_type: integer}\n"
        "c: {source: VALUE, value: {k: v}, operator: getitem, field: [1], value_type: string}\n"
        "d: {source: VALUE, value: fine}\n",
    )
    assert filled.failed.keys() == {"a", "b", "c"}
    assert filled.values["d"].value == "fine"


def test_an_address_that_would_be_looked_at_for_ever_is_none(tmp_path: Path) -> None:
    text = "a@" + "." * 200_000 + "@"
    with pytest.raises(VariableError, match="is no address"):
        extensions().converters["email"].convert(text)


def test_a_field_that_json_has_no_word_for_is_left_out_and_told(facility: Facility) -> None:
    """Else the whole message would be refused for it."""
    field = "  odd: {field_type: scientific_metadata, machine_name: odd, value: <odd>, type: list}\n"
    variable = "variables:\n  odd: {source: NXS, path: /odd, value_type: list}\n"
    facility.schema(SCHEMA.replace("variables:\n", variable) + field)
    delivery = facility.send(facility.file(**{"/odd": [1.0, float("nan")]}), twice=False)
    assert delivery.outcome is Outcome.ACKED, delivery.error
    assert "odd" not in facility.dataset["scientificMetadata"]
    assert "JSON has no word" in delivery.facts["scicat"]["failed"]["scientificMetadata.odd"]
