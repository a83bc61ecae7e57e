"""``python -m benchmarks.supervisors FILE``: two ``pacer run`` of one configuration, as two hosts are."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path


def main(file: str) -> None:
    """Run both until told to stop."""
    pacer = str(Path(sys.executable).with_name("pacer"))
    both = [subprocess.Popen([pacer, "run", "--config", file]) for _ in range(2)]

    def stop(*_: object) -> None:
        for one in both:
            one.terminate()

    signal.signal(signal.SIGTERM, stop)
    for one in both:
        one.wait()


if __name__ == "__main__":
    main(sys.argv[1])
