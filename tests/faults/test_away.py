"""An outside system that is away for a while: messages wait, nothing is lost, no attempt is counted."""

from __future__ import annotations

import time

import pytest

from tests.at_length import Scale
from tests.faults.jobs import TASKS
from tests.faults.ledger import Ledger
from tests.support import eventually


@pytest.mark.parametrize("threads", [1, 4])
def test_what_needs_an_absent_system_waits_for_it(ledger: Ledger, threads: int) -> None:
    flag = ledger.lab.site.folder / "away"
    flag.touch()
    ledger.tasks = {**ledger.tasks, "jobs": ("shelve",)}
    # Only what was tried before the breaker opened counts: a few messages, once each.
    ledger.configure(
        kind="shelved",
        consumer=f", concurrency: {threads}, integrations: [shelf], retries: {{limit: 1}}",
        more=f"integrations: {{shelf: {{flag: {flag}}}}}",
    )
    ledger.send(50)
    running = ledger.lab.run()
    running.wait_for("integration shelf is away")
    assert ledger.lines() == []
    flag.unlink()
    ledger.wait(running, 60)

    assert running.end() == 0
    ledger.close(f"all that is needed away, and back, {threads} thread(s)")


def test_what_needs_no_absent_system_is_done_and_nothing_is_dead_for_its_absence(
    ledger: Ledger, scale: Scale
) -> None:
    """The stand-in of ICAT is away, comes back, and goes again; the others' tasks are done meanwhile."""
    flag = ledger.lab.site.folder / "away"
    ledger.lab.site.write(
        "import pacer_core.work.breakers as breakers; breakers.PROBE = 0.5\n", "sitecustomize.py"
    )
    ledger.tasks = {**ledger.tasks, "jobs": (*TASKS, "shelve")}
    ledger.configure(
        consumer=", concurrency: 4, integrations: [shelf], retries: {limit: 2}",
        more=f"integrations: {{shelf: {{flag: {flag}}}}}",
    )
    running = ledger.lab.run()
    for _ in range(scale(1, 3)):
        ledger.send(scale(50, 1000))
        ledger.wait(running, scale(120, 300))
        flag.touch()
        names = set(ledger.send(scale(50, 1000)))
        eventually(
            lambda names=names: names <= {one[2] for one in ledger.lines() if one[1] == "second"},  # type: ignore[misc]  # mypy sees no default
            120,
            lambda: running.printed[-6000:],
        )
        for _ in range(scale(0, 6)):  # messages go on coming while it is away for a minute
            time.sleep(10)
            ledger.mixture(100)
        flag.unlink()
    ledger.wait(running, scale(120, 300))

    assert "integration shelf is away" in running.printed
    assert running.end() == 0
    ledger.close("ICAT away, and back")
