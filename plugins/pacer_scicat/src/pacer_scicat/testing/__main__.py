"""``python -m pacer_scicat.testing [PORT]``: the stand-in until Ctrl-C or SIGTERM."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress

from pacer_scicat.testing.server import CONTROL, ScicatStandIn


def main() -> None:
    """Serve a stand-in until somebody ends it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), ScicatStandIn(int(sys.argv[1]) if len(sys.argv) > 1 else 0) as scicat:
        print(f"a stand-in for SciCat: {scicat.url}; wishes to {CONTROL}", flush=True)  # noqa: T201
        signal.pause()


if __name__ == "__main__":
    main()
