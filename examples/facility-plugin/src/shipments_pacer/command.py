"""``pacer shipments show``: what the courier knows, asked with the options of a configuration."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pacer_core import config_option, consumer_by_hand
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
        click.echo(f"the courier knows no shipment {reference!r}", err=True)
        ctx.exit(1)
    click.echo(json.dumps(held, indent=2))
