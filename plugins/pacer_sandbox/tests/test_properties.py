"""Whatever graph of objects is written by SOAP or REST reads back the same by both."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacer_sandbox import IcatSandbox

TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co"], exclude_characters="\ufffe\uffff"), max_size=40
)
TIMES = st.integers(-(10**9), 4 * 10**9)
FILE = st.fixed_dictionaries(
    {},
    optional={
        "description": TEXT,
        "checksum": TEXT,
        "fileSize": st.integers(-(2**63), 2**63 - 1),
        "datafileModTime": TIMES,
    },
)
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "scanType": st.fixed_dictionaries({"stringValue": TEXT}),
        "exposure_time": st.fixed_dictionaries(
            {"numericValue": st.floats(allow_nan=False, allow_infinity=False)},
            optional={"error": st.floats(0, 1), "rangeTop": st.floats(-1e300, 1e300)},
        ),
        "calibrated": st.fixed_dictionaries({"dateTimeValue": TIMES}),
    },
)
DATASET = st.fixed_dictionaries(
    {"complete": st.booleans(), "datafiles": st.lists(FILE, max_size=6), "parameters": PARAMETERS},
    optional={"description": TEXT, "location": TEXT, "startDate": TIMES},
)
BY_TIME = {"datafileModTime", "dateTimeValue", "startDate"}


class Graphs:
    """Writes datasets with children and reads them back as plain dictionaries."""

    def __init__(self, wire: Any) -> None:
        self.wire = wire
        self.session = wire.login()
        self.investigation = self.ids("SELECT i.id FROM Investigation i")[0]
        self.kind = self.ids("SELECT t.id FROM DatasetType t")[0]
        self.types = {
            name: self.ids(f"SELECT t.id FROM ParameterType t WHERE t.name = '{name}'")[0]
            for name in ("scanType", "exposure_time", "calibrated")
        }
        self.count = 0

    def ids(self, query: str) -> list[str]:
        found: list[str] = self.wire.values(self.session, query)
        return found

    def write_by_soap(self, told: dict[str, Any]) -> int:
        files = "".join(
            f"<datafiles>{self.xml(f)}<name>f{n}</name></datafiles>" for n, f in enumerate(told["datafiles"])
        )
        parameters = "".join(
            f"<parameters>{self.xml(values)}<type><id>{self.types[name]}</id>"
            "<applicableToDataset>true</applicableToDataset></type></parameters>"
            for name, values in told["parameters"].items()
        )
        own = {k: v for k, v in told.items() if k not in ("datafiles", "parameters")}
        self.count += 1
        inner = f"{self.xml(own)}{files}<investigation><id>{self.investigation}</id></investigation>"
        inner += f"<name>d{self.count}</name>{parameters}<type><id>{self.kind}</id></type>"
        return int(self.wire.create(self.session, "dataset", inner))

    def xml(self, values: dict[str, Any]) -> str:
        def text(name: str, value: Any) -> str:
            if name in BY_TIME:
                return datetime.fromtimestamp(value, UTC).isoformat()
            return str(value).lower() if isinstance(value, bool) else escape(str(value), {"\r": "&#13;"})

        return "".join(f"<{name}>{text(name, value)}</{name}>" for name, value in sorted(values.items()))

    def write_by_rest(self, told: dict[str, Any]) -> int:
        self.count += 1
        entity = self.json(told) | {
            "name": f"d{self.count}",
            "investigation": {"id": int(self.investigation)},
            "type": {"id": int(self.kind)},
            "datafiles": [self.json(f) | {"name": f"f{n}"} for n, f in enumerate(told["datafiles"])],
            "parameters": [
                self.json(values) | {"type": {"id": int(self.types[name])}}
                for name, values in told["parameters"].items()
            ],
        }
        status, ids = self.wire.rest(
            "POST", "entityManager", sessionId=self.session, entities={"Dataset": entity}
        )
        assert status == 200, ids
        return int(ids[0])

    def json(self, values: dict[str, Any]) -> dict[str, Any]:
        def plain(name: str, value: Any) -> Any:
            if name in BY_TIME:
                return datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds")
            return value

        return {k: plain(k, v) for k, v in values.items() if k not in ("datafiles", "parameters")}

    def read_by_soap(self, key: int) -> dict[str, Any]:
        query = f"SELECT d FROM Dataset d WHERE d.id = {key} INCLUDE d.datafiles, d.parameters p, p.type"
        (element,) = self.wire.search(self.session, query)
        found = {child.tag: child.text or "" for child in element if not len(child)}
        files = {
            e.findtext("name"): self.typed({c.tag: c.text or "" for c in e})
            for e in element.iterfind("datafiles")
        }
        parameters = {
            e.findtext("type/name"): self.typed({c.tag: c.text or "" for c in e if not len(c)})
            for e in element.iterfind("parameters")
        }
        return self.typed(found) | {"datafiles": files, "parameters": parameters}

    def read_by_rest(self, key: int) -> dict[str, Any]:
        query = "Dataset d INCLUDE d.datafiles, d.parameters p, p.type"
        status, found = self.wire.rest(
            "GET", "entityManager", sessionId=self.session, query=query, id=str(key)
        )
        assert status == 200, found
        told = found["Dataset"]
        return self.typed(told) | {
            "datafiles": {f["name"]: self.typed(f) for f in told["datafiles"]},
            "parameters": {p["type"]["name"]: self.typed(p) for p in told["parameters"]},
        }

    @staticmethod
    def typed(values: dict[str, Any]) -> dict[str, Any]:
        """Keep what was told, in Python's types."""
        keep = {"description", "location", "checksum", "stringValue", "complete", "fileSize", *BY_TIME}
        keep |= {"numericValue", "error", "rangeTop"}
        out: dict[str, Any] = {}
        for name, value in values.items():
            if name in BY_TIME:
                out[name] = round(datetime.fromisoformat(value).timestamp())
            elif name in ("numericValue", "error", "rangeTop"):
                out[name] = float(value)
            elif name == "fileSize":
                out[name] = int(value)
            elif name == "complete":
                out[name] = value in (True, "true")
            elif name in keep:
                out[name] = value
        return out


def expected(told: dict[str, Any]) -> dict[str, Any]:
    own = {k: v for k, v in told.items() if k not in ("datafiles", "parameters")}
    files = {f"f{n}": {"fileSize": 0} | f for n, f in enumerate(told["datafiles"])}
    return own | {"fileSize": 0, "datafiles": files, "parameters": told["parameters"]}


@pytest.fixture(scope="module")
def graphs(icat_process: IcatSandbox, wire_at: Callable[[str], Any]) -> Iterator[Graphs]:
    icat_process.reset()
    yield Graphs(wire_at(icat_process.url))
    icat_process.reset()


@settings(max_examples=40, deadline=None)
@given(told=DATASET)
def test_what_soap_writes_reads_the_same_by_soap_and_rest(graphs: Graphs, told: dict[str, Any]) -> None:
    key = graphs.write_by_soap(told)

    assert graphs.read_by_soap(key) == expected(told)
    assert graphs.read_by_rest(key) == expected(told)


@settings(max_examples=40, deadline=None)
@given(told=DATASET)
def test_what_rest_writes_reads_the_same_by_soap_and_rest(graphs: Graphs, told: dict[str, Any]) -> None:
    key = graphs.write_by_rest(told)

    assert graphs.read_by_soap(key) == expected(told)
    assert graphs.read_by_rest(key) == expected(told)
