"""Datasets that differ in whatever a question can ask for, written straight over the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import evolve, frozen

from pacer_icat import IcatClient
from pacer_icat.soap import Bean, ref
from pacer_icat.wire import parameter_type

TEXTS = (
    "Alpha", "alpha ", "beta", "béta", "BETA", "100%", "100", "a_b", "axb", "it's", "''", "back\\slash", "!%",
    "x' OR 'a' = 'a", ":user", "{ts 2025-01-01 00:00:00}", " lead", "ünder", "ß", "Gamma\nray", '"', "a\\%b",
)  # fmt: skip
START = datetime(2025, 3, 1, tzinfo=UTC)


@frozen(repr=False)
class Row:
    """A dataset as Python sees it."""

    id: int
    name: str
    description: str | None
    complete: bool
    start: datetime | None
    sample: str | None
    kind: str | None
    """The name of the sample's type."""
    visit: str
    numbers: tuple[float, ...]
    """The values of its numeric parameters."""
    files: tuple[str, ...]


def fill(icat: IcatClient, number: int = 40) -> list[Row]:
    """Create datasets below two investigations of the demo facility; give them as rows."""
    wire = icat.shared.wire
    investigations = [icat.shared.catalogue.investigations(name)[0] for name in ("20250330096", "hg123")]
    dataset_type = icat.shared.catalogue.dataset_type("acquisition")
    facility = icat.shared.catalogue.facility()
    kinds: list[int | None] = [
        *wire.create_many(
            [
                Bean(
                    "SampleType",
                    {"name": name, "molecularFormula": "", "facility": ref("Facility", facility)},
                )
                for name in "PQ"
            ]
        ),
        None,
    ]
    samples = wire.create_many(
        [
            Bean(
                "Sample",
                {
                    "name": f"s{place}",
                    "investigation": ref("Investigation", investigations[place % 2].id),
                    **({} if kind is None else {"type": ref("SampleType", kind)}),
                },
            )
            for place, kind in enumerate(kinds)
        ]
    )
    numeric = _types(icat, ["energy", "gain"])
    rows: list[Row] = []
    beans: list[Bean] = []
    for place in range(number):
        sample = None if place % 4 == 3 else place % 3
        row = Row(
            id=0,
            name=f"{TEXTS[place % len(TEXTS)]}{place}",
            description=None if place % 5 == 0 else TEXTS[(place * 7) % len(TEXTS)],
            complete=place % 3 == 0,
            start=None if place % 6 == 5 else START + timedelta(days=place % 9),
            sample=None if sample is None else f"s{sample}",
            kind=None if sample is None or sample == 2 else "PQ"[sample],
            visit=investigations[place % 2].visit_id,
            numbers=tuple(float(value) for value in ((), (1,), (1, 5), (5,))[place % 4]),
            files=tuple(f"f{one}" for one in range(place % 3)),
        )
        rows.append(row)
        values: dict[str, Any] = {
            "name": row.name,
            "complete": row.complete,
            "investigation": ref("Investigation", investigations[place % 2].id),
            "type": ref("DatasetType", dataset_type),
            "description": row.description,
            "startDate": row.start,
            "parameters": [
                Bean("DatasetParameter", {"type": parameter_type(kind), "numericValue": value})
                for kind, value in zip(numeric, row.numbers, strict=False)
            ],
            "datafiles": [Bean("Datafile", {"name": name}) for name in row.files],
        }
        if sample is not None:
            values["sample"] = ref("Sample", samples[sample])
        beans.append(Bean("Dataset", values))
    ids = wire.create_many(beans)
    return [evolve(row, id=number) for number, row in zip(ids, rows, strict=True)]


def _types(icat: IcatClient, names: list[str]) -> list[Any]:
    wire = icat.shared.wire
    facility = icat.shared.catalogue.facility()
    wire.create_many(
        [
            Bean(
                "ParameterType",
                {
                    "name": f"query-{name}",
                    "units": "",
                    "valueType": "NUMERIC",
                    "applicableToDataset": True,
                    "facility": ref("Facility", facility),
                },
            )
            for name in names
        ]
    )
    return wire.search("SELECT o FROM ParameterType o WHERE o.name LIKE 'query-%' ORDER BY o.name")
