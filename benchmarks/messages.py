"""Bodies: a dataset with four files, about 1 KiB as JSON and about 2 KiB as XML."""

from __future__ import annotations

import json
from typing import Any


def fields(key: str) -> dict[str, Any]:
    """Give a dataset of an investigation."""
    folder = f"/data/visitor/{key}/id16a/20260314/RAW_DATA/sample_01/sample_01_scan_0001"
    return {
        "investigation": key,
        "instrument": "ID16A",
        "name": "sample_01_scan_0001",
        "location": folder,
        "startDate": "2026-03-14T09:26:53.589793+01:00",
        "endDate": "2026-03-14T09:31:42.314159+01:00",
        "sample": "sample_01",
        "parameters": [
            {"name": "scanType", "value": "tomo"},
            {"name": "InstrumentSource_current", "value": 196.42},
            {"name": "InstrumentMonochromator_energy", "value": 17.05},
        ],
        "datafiles": [
            {
                "name": f"scan_000{number}.h5",
                "location": f"{folder}/scan_000{number}.h5",
                "fileSize": 4294967296 + number,
            }
            for number in range(4)
        ],
    }


def as_json(key: str = "HC-5042", size: int = 0) -> bytes:
    """Give a JSON body; with ``size``, one of that many bytes, most of them in the list of files."""
    data = fields(key)
    if size:
        one = data["datafiles"][0]
        missing = size - len(json.dumps(data))
        data["datafiles"] = data["datafiles"] + [one] * max(0, missing // (len(json.dumps(one)) + 2))
    return json.dumps(data).encode()


def as_xml(key: str = "HC-5042") -> bytes:
    """Give an XML body as publishers write it: indented, in a namespace, with a declaration."""
    data = fields(key)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<tns:dataset xmlns:tns="http://www.esrf.fr/icat">']
    lines += [f"  <tns:{name}>{value}</tns:{name}>" for name, value in data.items() if isinstance(value, str)]
    for tag in ("parameter", "datafile"):
        for one in data[f"{tag}s"]:
            lines.append(f"  <tns:{tag}>")
            lines += [f"    <tns:{name}>{value}</tns:{name}>" for name, value in one.items()]
            lines.append(f"  </tns:{tag}>")
    return "\n".join([*lines, "</tns:dataset>", ""]).encode()
