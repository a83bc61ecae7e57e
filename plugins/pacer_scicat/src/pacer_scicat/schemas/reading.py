"""``imsc`` files, YAML and JSON, into schemas; every mistake with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import define, field

from pacer_scicat.fields import KNOWN, MANDATORY, one_name
from pacer_scicat.located import NotReadableError, load, place
from pacer_scicat.schemas.extensions import Extensions
from pacer_scicat.schemas.model import Field, Problem, Recipe, SampleAttachment, Schema
from pacer_scicat.schemas.operators import canonical
from pacer_scicat.schemas.selectors import selector
from pacer_scicat.schemas.templates import names_in

ENDINGS = ("imsc.yml", "imsc.yaml", "imsc.json")
BUILT_IN = (
    *("ingestor_run_id", "data_file_path", "data_file_name", "now", "ingestor_files_directory"),
    "ingestor_metadata_schema_id",
)
"""Variables that every schema has."""
_KEYS: Mapping[str, Any] = {
    "id": str, "name": str, "instrument": str, "selector": (str, dict), "order": (int, float),
    "variables": dict, "schema": dict, "sample_attachment": dict, "jobs": dict,
}  # fmt: skip
_FIELD_KEYS = ("field_type", "machine_name", "value", "type", "human_name", "unit")
_SAMPLE_KEYS = {
    "query_sample_name": "wanted",
    "sample_name_path": "name_path",
    "proposal_id_path": "proposal_path",
}


def is_schema_file(name: str) -> bool:
    """Tell by its name whether a file is a schema."""
    return not name.startswith(".") and any(ending in name for ending in ENDINGS)


def read(file: Path, known: Extensions) -> tuple[Schema | None, list[Problem]]:
    """Read a schema; ``None`` where it cannot be used, with every mistake that is in it."""
    reader = _Reader(file, known)
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reader.problem(None, None, "unreadable", f"cannot be read: {error}")
        return None, reader.problems
    schema = reader.schema(text)
    return (None if any(one.serious for one in reader.problems) else schema), reader.problems


@define
class _Reader:
    file: Path
    known: Extensions
    problems: list[Problem] = field(factory=list)

    def problem(self, at: Any, key: Any, code: str, text: str, *, serious: bool = True) -> None:
        """Note a mistake at a key of a mapping, or at the mapping itself."""
        line, column = place(at, key)
        self.problems.append(Problem(self.file, line, column, code, text, serious))

    def schema(self, text: str) -> Schema | None:
        """Read the text of a file."""
        data = self._parsed(text)
        if not isinstance(data, dict):
            if not self.problems:
                self.problem(None, None, "wrong-type", "a schema is a mapping")
            return None
        for key, value in data.items():
            wanted = _KEYS.get(str(key))
            if wanted is None:
                self.problem(data, key, "unknown-key", f"there is no key {key!r}", serious=False)
            elif not isinstance(value, wanted) or isinstance(value, bool):
                self.problem(data, key, "wrong-type", f"{key!r} has a value of the wrong type")
        for key in ("id", "name", "selector", "variables", "schema"):
            if key not in data:
                self.problem(data, None, "missing-key", f"{key!r} is missing")
        if any(one.serious for one in self.problems):
            return None
        if "jobs" in data:
            self.problem(data, "jobs", "not-done", "'jobs' are read by nobody", serious=False)
        recipes = tuple(self._recipes(data["variables"]))
        return Schema(
            file=self.file,
            id=str(data["id"]),
            name=str(data["name"]),
            instrument=data.get("instrument"),
            order=float(data.get("order", 1000)),
            selects=self._selector(data),
            variables=recipes,
            fields=tuple(self._fields(data["schema"], {one.name for one in recipes} | {*BUILT_IN})),
            sample=self._sample(data),
        )

    def _parsed(self, text: str) -> Any:
        try:
            return load(text, is_json=".imsc.json" in f".{self.file.name}")
        except NotReadableError as error:
            self.problems.append(Problem(self.file, error.line, error.column, "syntax", error.why))
        return None

    def _selector(self, data: Any) -> Any:
        try:
            return selector(data["selector"])
        except ValueError as error:
            self.problem(data, "selector", "bad-selector", str(error))
            return lambda _: False

    def _recipes(self, variables: Any) -> Iterator[Recipe]:
        before = {*BUILT_IN}
        for name, given in variables.items():
            if not isinstance(given, dict):
                self.problem(variables, name, "wrong-type", f"the variable {name!r} is no mapping")
                continue
            keys = {str(key): value for key, value in given.items()}
            source, kind = str(keys.pop("source", "")), str(keys.pop("value_type", "string"))
            unit = keys.pop("unit", None)
            self._check_source(variables, name, given, source, keys)
            self._check_type(given, "value_type", kind)
            self._check_names(given, keys, before)
            before.add(str(name))
            yield Recipe(str(name), source, kind, None if unit is None else str(unit), keys)

    def _check_source(self, at: Any, name: Any, given: Any, source: str, keys: Mapping[str, Any]) -> None:
        known = self.known.sources.get(source)
        if known is None:
            there = ", ".join(sorted(self.known.sources))
            self.problem(
                given if "source" in given else at,
                "source" if "source" in given else name,
                "unknown-source",
                f"the variable {name!r} has no source; there are {there}",
            )
            return
        for key in known.needs:
            if key not in keys:
                self.problem(at, name, "missing-key", f"the variable {name!r} needs {key!r} for {source}")
        for key in keys:
            if key not in (*known.needs, *known.knows):
                self.problem(given, key, "unknown-key", f"{source} knows no {key!r}", serious=False)
        if "operator" in keys and "operator" in known.knows:
            self._check_operator(at, name, given, keys)

    def _check_operator(self, at: Any, name: Any, given: Any, keys: Mapping[str, Any]) -> None:
        operator = self.known.operators.get(canonical(str(keys["operator"])))
        if operator is None:
            there = ", ".join(sorted(self.known.operators))
            self.problem(
                given,
                "operator",
                "unknown-operator",
                f"there is no operator {keys['operator']!r}; there are {there}",
            )
            return
        for key in operator.needs:
            if key not in keys:
                self.problem(
                    at, name, "missing-key", f"the variable {name!r} needs {key!r} for {operator.name}"
                )

    def _check_type(self, given: Any, key: str, kind: str) -> None:
        if kind not in self.known.converters:
            there = ", ".join(sorted(self.known.converters))
            self.problem(given, key, "unknown-type", f"there is no type {kind!r}; there are {there}")

    def _check_names(self, given: Any, keys: Mapping[str, Any], before: set[str]) -> None:
        for key, value in keys.items():
            for name in names_in(value):
                if name not in before:
                    self.problem(
                        given,
                        key,
                        "unknown-variable",
                        f"there is no variable <{name}> before this",
                        serious=False,
                    )

    def _fields(self, fields: Any, variables: set[str]) -> Iterator[Field]:
        there: set[str] = set()
        for name, given in fields.items():
            if not isinstance(given, dict) or "machine_name" not in given:
                self.problem(
                    fields, name, "wrong-type", f"the field {name!r} is no mapping with 'machine_name'"
                )
                continue
            kind, machine_name = given.get("field_type"), str(given["machine_name"])
            if kind not in ("high_level", "scientific_metadata"):
                self.problem(
                    fields,
                    name,
                    "wrong-field-type",
                    f"the field {name!r} is neither high_level nor scientific_metadata",
                )
                continue
            for key in given:
                if key not in _FIELD_KEYS:
                    self.problem(given, key, "unknown-key", f"a field knows no {key!r}", serious=False)
            if kind == "high_level" and machine_name not in KNOWN:
                self.problem(
                    given,
                    "machine_name",
                    "unknown-field",
                    f"SciCat knows no {machine_name!r}: left out",
                    serious=False,
                )
                continue
            if "value" not in given:
                self.problem(fields, name, "missing-key", f"the field {name!r} needs 'value'")
                continue
            self._check_type(given, "type", str(given.get("type", "string")))
            self._check_names(given, {"value": given["value"]}, variables)
            there.add(one_name(machine_name) if kind == "high_level" else "")
            human, unit = given.get("human_name"), given.get("unit")
            yield Field(
                machine_name,
                kind == "scientific_metadata",
                given["value"],
                str(given.get("type", "string")),
                None if human is None else str(human),
                None if unit is None else str(unit),
            )
        for name in MANDATORY:
            if name not in there and name != "ownerGroup":  # which the options may give
                self.problem(fields, None, "missing-field", f"no field gives {name!r}, which a dataset needs")

    def _sample(self, data: Any) -> SampleAttachment:
        given = data.get("sample_attachment") or {}
        for key in given:
            if key == "query_sample_name" and not isinstance(given[key], bool):
                self.problem(given, key, "wrong-type", f"{key!r} is true or false")
            elif key in _SAMPLE_KEYS and key != "query_sample_name" and not isinstance(given[key], str):
                self.problem(given, key, "wrong-type", f"{key!r} is a path")
            if key not in _SAMPLE_KEYS:
                self.problem(given, key, "unknown-key", f"sample_attachment knows no {key!r}", serious=False)
        return SampleAttachment(**{ours: given[key] for key, ours in _SAMPLE_KEYS.items() if key in given})
