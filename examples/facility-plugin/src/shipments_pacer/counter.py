"""The service ``courier-counter``: what people announce at the courier's counter comes in as messages."""

from __future__ import annotations

import json
from pathlib import Path

from attrs import field, frozen, validators

from pacer_core import RefusedError, Retry, Secret, ServiceContext, ServiceType
from pacer_http import is_url
from shipments_pacer.courier import Courier, CourierOptions, open_courier


@frozen
class CounterOptions:
    """Where to ask, and for whom.

    Attributes
    ----------
    url, token
        The courier's service, as those of the integration ``courier``.
    to
        The consumer, or the queue, that announcements are for.
    every_seconds
        How many seconds pass between two questions.
    """

    url: str = field(validator=is_url)
    token: Secret
    to: str = "shipments"
    every_seconds: float = field(default=10.0, validator=validators.gt(0))


def run(ctx: ServiceContext) -> None:
    """Ask again and again, publish what is new, and note how far it is once the broker has it.

    A kill between the confirm and the note publishes an announcement again: under the same message id, for a
    consumer that does the same twice as once.
    """
    options: CounterOptions = ctx.options
    place = ctx.folder / "number"
    number = int(place.read_text()) if place.exists() else 0
    with open_courier(CourierOptions(options.url, options.token)) as courier:
        ctx.ready()
        while not ctx.stopping.is_set():
            try:
                number = _publish_new(ctx, courier, number, place)
                ctx.trouble("")
            except Retry as away:  # what pacer_http raises of a service that is away
                ctx.trouble(str(away))
            ctx.stopping.wait(options.every_seconds)


def _publish_new(ctx: ServiceContext, courier: Courier, number: int, place: Path) -> int:
    for one in courier.announcements(after=number):
        number = int(one["number"])
        body = json.dumps(one["shipment"]).encode()
        try:
            ctx.publish(ctx.options.to, body, content_type="application/json", message_id=f"counter-{number}")
            ctx.count("announcements")
        except RefusedError as error:  # it would be refused for ever; the others go on
            ctx.log.error("announcement %d is left out: %s", number, error)
        place.with_suffix(".new").write_text(str(number))
        place.with_suffix(".new").replace(place)
    return number


def destinations(options: CounterOptions) -> list[str]:
    """Say where messages go, for ``pacer config check``."""
    return [options.to]


COUNTER = ServiceType(
    name="courier-counter", options=CounterOptions, run=run, publishes=destinations, counts=("announcements",)
)
