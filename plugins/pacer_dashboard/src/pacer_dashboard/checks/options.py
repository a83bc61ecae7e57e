"""What the checks ask and where they send, from the environment: ICAT-PACER's names where it has them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from attrs import frozen

from pacer_core import PacerError, Secret

if TYPE_CHECKING:
    from pacer_icat import IcatOptions

_NEEDED = ("ICAT_SERVER_URL", "ICAT_USERNAME", "ICAT_PASSWORD")


@frozen
class CheckOptions:
    """ICAT, PaNOSC's scoring service, and how investigations are checked.

    ``days`` is how long after its end an investigation is looked after; ``again`` how long the operations
    that were sent for it may take before they are sent anew.
    """

    icat: IcatOptions
    panosc_url: str | None = None
    panosc_account: tuple[str, Secret] | None = None
    days: int = 30
    again: timedelta = timedelta(hours=20)
    left_out: tuple[str, ...] = ("INDUSTRIAL",)
    exchange: str = "investigation-ops-exchange"
    routing_key: str = "investigation.ops"


@frozen
class IndexOptions:
    """Where messages about public datasets go, and what they say."""

    index: str
    exchange: str
    routing_key: str
    left_out: tuple[str, ...] = ("INDUSTRIAL",)


def icat_options(environment: Mapping[str, str] = os.environ) -> IcatOptions:
    """Read ICAT and the account there.

    Raises
    ------
    PacerError
        Where something is missing or wrong, or pacer-icat is not installed.
    """
    try:
        from pacer_icat import IcatOptions
    except ImportError:
        raise PacerError(
            "this asks ICAT by pacer-icat, which is not installed: pip install 'pacer-dashboard[checks]'"
        ) from None
    if missing := [name for name in _NEEDED if not environment.get(name)]:
        raise PacerError(f"{', '.join(missing)}: not set; this asks ICAT")
    try:
        return IcatOptions(
            url=environment["ICAT_SERVER_URL"],
            authenticator=environment.get("ICAT_AUTH_PLUGIN") or "db",
            username=environment["ICAT_USERNAME"],
            password=Secret(environment["ICAT_PASSWORD"]),
            time_zone=environment.get("TIME_ZONE") or None,
        )
    except ValueError as error:
        raise PacerError(f"ICAT_SERVER_URL or TIME_ZONE: {error}") from None


def check_options(environment: Mapping[str, str] = os.environ) -> CheckOptions:
    """Read what the checks need.

    Raises
    ------
    PacerError
        Where something is missing or wrong.
    """
    get = environment.get
    found: dict[str, Any] = {"icat": icat_options(environment), "panosc_url": get("PANOSC_API_URL") or None}
    if username := get("PANOSC_API_USERNAME"):
        found["panosc_account"] = username, Secret(get("PANOSC_API_PASSWORD", ""))
    if days := get("INVESTIGATION_CHECK_DAYS"):
        if not (days.isascii() and days.isdecimal() and 0 < int(days) < 10_000):
            raise PacerError("INVESTIGATION_CHECK_DAYS: should be a number of days")
        found["days"] = int(days)
    if exchange := get("INVESTIGATION_OPS_EXCHANGE"):
        found["exchange"] = exchange
    if routing_key := get("INVESTIGATION_OPS_ROUTING_KEY"):
        found["routing_key"] = routing_key
    return CheckOptions(**found)


def index_options(environment: Mapping[str, str] = os.environ, **given: str | None) -> IndexOptions:
    """Read where messages about public datasets go; what is ``given`` comes first.

    Raises
    ------
    PacerError
        Where something is missing.
    """
    names = {
        "index": "ES_PUBLIC_DATASET_INDEX",
        "exchange": "PACER_INTERNAL_DATASET_EXCHANGE",
        "routing_key": "PACER_DATASET_INDEXING_ROUTING_KEY",
    }
    found = {key: given.get(key) or environment.get(name, "") for key, name in names.items()}
    if missing := [names[key] for key, value in found.items() if not value]:
        raise PacerError(f"{', '.join(missing)}: not set; this is where messages about datasets go")
    return IndexOptions(found["index"], found["exchange"], found["routing_key"])
