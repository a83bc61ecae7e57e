"""``pacer shipments``: what the courier knows, and announcements by hand, as a configuration has them."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pacer_core import Publication, config_option, consumer_by_hand, publish, say, say_json
from shipments_pacer.courier import COURIER
from shipments_pacer.shipments import SHIPMENTS


@click.group()
def shipments() -> None:
    """Look after parcels of samples."""


@shipments.command()
@click.argument("reference")
@config_option
@click.pass_context
def show(ctx: click.Context, reference: str, file: Path) -> None:
    """Print what the courier knows of the shipment REFERENCE; exit with 1 where it knows nothing."""
    with consumer_by_hand(ctx, file, SHIPMENTS.name) as by_hand:
        held = by_hand[COURIER].shipment(reference)
    if held is None:
        say(f"the courier knows no shipment {reference!r}", err=True)
        ctx.exit(1)
    say_json(held, indent=True)


@shipments.command()
@click.argument("proposal")
@click.argument("reference")
@click.option("--parcels", type=int, default=1, show_default=True, help="How many parcels there are.")
@config_option
@click.pass_context
def announce(ctx: click.Context, proposal: str, reference: str, parcels: int, file: Path) -> None:
    """Announce the shipment REFERENCE of PROPOSAL, as the user office does."""
    message = {"reference": reference, "proposal": proposal, "parcels": parcels}
    (correlation_id,) = publish(ctx, file, [Publication(SHIPMENTS.name, json.dumps(message).encode())])
    say(f"confirmed, correlation id {correlation_id}")
