"""A plugin's command that is called by another program than ``pacer``, where nothing is prepared for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from pacer_core import PacerError, Publication, consumer_by_hand, publish, service_options

FILE = Path("pacer.yaml")


@pytest.mark.parametrize(
    "needs",
    [
        lambda ctx: consumer_by_hand(ctx, FILE, "shipments"),
        lambda ctx: publish(ctx, FILE, [Publication("shipments", b"{}")]),
        lambda ctx: service_options(ctx, FILE, "ticker"),
    ],
    ids=["consumer_by_hand", "publish", "service_options"],
)
def test_what_pacer_gives_to_commands_says_that_another_program_does_not(
    needs: Callable[[click.Context], Any],
) -> None:
    command = click.Command("shipments", callback=lambda: needs(click.get_current_context()))
    done = CliRunner().invoke(command, [])
    assert isinstance(done.exception, PacerError)
    assert "needs the command line of PACER" in str(done.exception)
    assert "pacer_commands" in str(done.exception)
    assert "call it as `pacer shipments`" in str(done.exception)
