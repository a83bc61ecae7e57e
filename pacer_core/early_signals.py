"""The first moments of ``pacer run``: a signal that comes before anything has begun ends it in order.

Imported before everything else, and only then of use: to import the rest takes a second, in which SIGTERM
would end the process with -15, and SIGHUP as well.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

_PROGRAMS = ("pacer", "-c", "-m", "__main__.py")


def _end(_: int, __: FrameType | None) -> None:
    os._exit(0)  # nothing has begun; an exception would be caught by whatever is being imported


def _ignore(_: int, __: FrameType | None) -> None:
    """Do nothing: the configuration is about to be read anyhow."""


def _is_run() -> bool:
    return sys.argv[1:2] == ["run"] and os.path.basename(sys.argv[0]) in _PROGRAMS


if _is_run() and "multiprocessing.spawn" not in sys.modules:
    for _number, _handler in (
        (signal.SIGHUP, _end if os.isatty(0) else _ignore),
        (signal.SIGINT, _end),
        (signal.SIGTERM, _end),
    ):
        if signal.getsignal(_number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(_number, _handler)
