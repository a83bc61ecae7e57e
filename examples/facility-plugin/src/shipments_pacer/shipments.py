"""The consumer type ``shipments``: parcels that the user office announces are made known to the courier."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import asdict, field, frozen, validators

from pacer_core import BadField, ConsumerType, Context, Key, Planned, Reject, Text, task
from shipments_pacer.courier import COURIER


@frozen
class Shipment:
    """One announcement; ``Text`` is text that is not empty."""

    reference: Text
    proposal: Text
    parcels: int
    dangerous: bool = False


@frozen
class ShipmentsOptions:
    """The YAML options of a consumer of type ``shipments``.

    Attributes
    ----------
    most_parcels
        How many parcels one shipment may have; in YAML it is ``mostParcels``.
    """

    most_parcels: int = field(default=20, validator=validators.ge(1))


def wrong_with(shipment: Shipment, options: ShipmentsOptions) -> Iterable[BadField]:
    """Say what no courier would take, without quoting it: errors travel to logs and dead queues."""
    if not 1 <= shipment.parcels <= options.most_parcels:
        yield BadField("parcels", f"should be from 1 to {options.most_parcels}")


def foresee_shipment(shipment: Shipment, ctx: Context) -> list[Planned]:
    """Say for ``pacer plan`` what `announce_shipment` would do; it reads, and writes nothing."""
    if bad := list(wrong_with(shipment, ctx.options)):
        raise Reject("the message has bad fields", fields=bad)
    held = ctx[COURIER].shipment(shipment.reference)
    what, detail = f"shipment {shipment.reference!r}", f"{shipment.parcels} parcels"
    if held is None:
        return [Planned(what, "new", detail)]
    return [Planned(what, "there" if held == asdict(shipment) else "changed", detail)]


@task(needs=[COURIER], plan=foresee_shipment)
def announce_shipment(shipment: Shipment, ctx: Context) -> None:
    """Make a shipment known to the courier.

    The message may come twice: the shipment is written under its own reference, so that twice is as once. A
    courier that is away raises a ``Retry`` in `pacer_http`: the message waits at the broker.
    """
    if bad := list(wrong_with(shipment, ctx.options)):
        raise Reject("the message has bad fields", fields=bad)
    ctx[COURIER].put(shipment.reference, asdict(shipment))
    ctx.log.info("the courier knows shipment %s", shipment.reference)


def describe(shipment: Shipment) -> dict[str, str]:
    """Give the identifiers by which people look for a message."""
    return {"shipment": shipment.reference, "proposal": shipment.proposal}


SHIPMENTS = ConsumerType(
    name="shipments",
    message=Shipment,
    tasks=[announce_shipment],
    options=ShipmentsOptions,
    key=Key("shipment", of=lambda shipment, ctx: str(shipment.reference)),  # its changes stay in order
    describe=describe,
)
