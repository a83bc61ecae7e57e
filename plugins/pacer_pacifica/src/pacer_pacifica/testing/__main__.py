"""Serves the stand-ins until the process is ended; their address is the first line of the output."""

import threading

from pacer_pacifica.testing import PacificaServices

with PacificaServices() as pacifica:
    print(pacifica.url, flush=True)  # noqa: T201 - what it is for
    threading.Event().wait()
