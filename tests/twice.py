"""Tests that were tried twice: named at the end of a run, with what they said the first time."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name each test that used its second try; with several processes, those of all of them."""
    reports = terminalreporter.getreports("rerun")
    if not reports:
        return
    terminalreporter.section(f"tried twice: {len({report.nodeid for report in reports})}")
    for report in reports:
        terminalreporter.write_line(f"{report.nodeid} ({report.when})", bold=True)
        terminalreporter.write_line(report.longreprtext)
