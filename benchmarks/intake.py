"""``python -m benchmarks.intake FILE QUEUE``: an intake that fills partitions which nobody reads."""

from __future__ import annotations

import sys
from pathlib import Path

from pacer_core.config import load
from pacer_core.observe import logs
from pacer_core.work.os_signals import signals
from pacer_core.work.worker import Worker


def main(file: str, queue: str) -> None:
    """Run it until it is told to stop."""
    config = load(Path(file))
    logs.set_up_run(config.logging, config.log_handlers)
    worker = Worker(config, config.consumers, queues=[queue])
    with signals(worker.stop):
        worker.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
