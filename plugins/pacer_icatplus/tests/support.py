"""What the tests of pacer-icatplus share."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from attrs import define

from pacer_core import Delivery, Secret
from pacer_core.testing import deliver
from pacer_http import HttpClient
from pacer_http.testing import StandIn
from pacer_icat import ICAT, IcatClient
from pacer_icat.client import Shared
from pacer_icat.datasets.task import DATASETS
from pacer_icatplus import ICATPLUS, IcatPlus, IcatPlusOptions, upload_gallery
from plugins.pacer_icat.tests.support import dataset_message

KEY = "elogbook-0000 secret/key"
CONSUMER = DATASETS.with_tasks([upload_gallery])
PATHS, IDS = "ResourcesGalleryFilePaths", "ResourcesGallery"

Send = Callable[..., Delivery]


@define
class Visit:
    """A folder of images, as a beamline leaves it, and what ICAT and ICAT+ have of it."""

    root: Path

    @property
    def location(self) -> Path:
        """The dataset's folder."""
        return self.root / "visit" / "run1"

    def write(self, name: str, content: bytes | None = None) -> Path:
        """Write a file into the gallery; it holds its own name."""
        file = self.location / "gallery" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode() if content is None else content)
        return file

    def message(self, *named: object, **changes: Any) -> dict[str, Any]:
        """Give a message about the dataset, which may name its images."""
        parameters = [{"name": "scanType", "value": "line"}]
        if named:
            parameters.append({"name": PATHS, "value": ",".join(map(str, named))})
        return dataset_message(location=str(self.location), parameters=parameters, **changes)


def options_of(url: str, root: Path, **changes: Any) -> IcatPlusOptions:
    """Give the options of an ICAT+ that may have what lies below a folder."""
    return IcatPlusOptions(**{"url": url, "api_key": Secret(KEY), "allowed_roots": (str(root),), **changes})


@contextmanager
def client_of(service: StandIn, root: Path, **changes: Any) -> Iterator[IcatPlus]:
    """Give a client that does not wait between its tries."""
    options = options_of(service.url, root, **changes)
    timeout = changes.get("timeout", timedelta(seconds=20))
    with HttpClient("ICAT+", options.url, timeout=timeout, delays=(0, 0)) as http:
        yield IcatPlus(options, http)


def deliver_to(
    icat: IcatClient, server: IcatPlus, message: Any, *, twice: bool = True, after: Delivery | None = None
) -> Delivery:
    """Send a message through the consumer type ``datasets`` with the task that uploads galleries."""
    return deliver(
        CONSUMER,
        json.dumps(message),
        integrations={ICAT: icat, ICATPLUS: server},
        twice=twice,
        after=after,
    )


def prepare(shared: Shared) -> None:
    """Give ICAT the parameter type that the demo's facility lacks."""
    from pacer_icat import Bean, ref

    shared.wire.create(
        Bean(
            "ParameterType",
            {
                "facility": ref("Facility", shared.catalogue.facility()),
                "name": IDS,
                "units": "",
                "valueType": "STRING",
                "applicableToDataset": True,
            },
        )
    )
    shared.catalogue.forget()


def in_icat(shared: Shared, name: str = "run1") -> tuple[list[str], list[str]]:
    """Give what the portal reads: paths and ids."""
    rows = shared.wire.search(
        "SELECT p.type.name, p.stringValue FROM DatasetParameter p WHERE p.dataset.name = :name", name=name
    )
    found = dict(rows)
    return [path for path in found.get(PATHS, "").split(",") if path], found.get(IDS, "").split()


def content_of(body: bytes) -> bytes:
    """Give the file in the body of an upload."""
    text: str = json.loads(body)["base64"]
    return base64.b64decode(text.partition(";base64,")[2])
