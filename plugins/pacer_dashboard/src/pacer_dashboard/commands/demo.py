"""``pacer dashboard demo``."""

from __future__ import annotations

import signal
import tempfile
import time
from itertools import islice
from pathlib import Path

import click

from pacer_core import Publication, publish, say


@click.command(short_help="Show the dashboard with embedded parts and a stream of messages.")
@click.option("--port", default=0, help="Where the dashboard listens; without it, a free port.")
@click.option(
    "--rate", default=2.0, show_default=True, help="Messages a second.", type=click.FloatRange(0.1, 50)
)
@click.option(
    "--messages", default=0, help="End after so many; 0 goes on until Ctrl-C.", type=click.IntRange(0)
)
@click.option("--linger", default=0.0, help="With --messages: seconds to go on showing them at the end.")
@click.pass_context
def demo(ctx: click.Context, port: int, rate: float, messages: int, linger: float) -> None:
    """Start a broker in a file, a sandbox of ICAT, PACER and the dashboard, and send messages, good and bad.

    It prints the dashboard's address, which answers on this machine alone, without a login. Ctrl-C ends it,
    and nothing is left behind.
    """
    from pacer_dashboard.demo.parts import running
    from pacer_dashboard.demo.stream import stream

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it has processes to end, as with Ctrl-C
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pacer-dashboard-demo-") as name:
        try:
            with running(Path(name), port) as parts:
                say(f"The dashboard is at {parts.url} (after {time.monotonic() - begun:.1f} s).")
                say("Messages come in, and some of them are wrong. Ctrl-C ends it.")
                together = max(round(rate / 2), 1)
                sent = 0
                coming = stream()
                while not messages or sent < messages:
                    if said := parts.ended():
                        raise click.ClickException(said)
                    some = [*islice(coming, min(together, messages - sent) if messages else together)]
                    publish(
                        ctx,
                        parts.configuration,
                        [
                            Publication(to=one.to, body=one.body, content_type=one.content_type)
                            for one in some
                        ],
                    )
                    sent += len(some)
                    time.sleep(len(some) / rate)
                time.sleep(linger)
                say(f"{sent} messages were sent.")
        except KeyboardInterrupt:
            say("", "Ended; nothing is left behind.")
